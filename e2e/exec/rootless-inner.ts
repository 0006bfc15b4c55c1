/** Runs the executors' suite as root of a user namespace: `rootless.test.ts` starts it there. Arguments: a folder of one's own, and what is mapped. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { findTool, systemClock, systemRandom } from '../../src/base/index.ts';
import { createExecutor } from '../../src/exec/index.ts';
import { executorSuite } from '../../src/exec/executor.suite.ts';

const folder = process.env['STRAKE_TEST_FOLDER'] ?? '';
const rootless = process.env['STRAKE_TEST_IDS'] === 'single' ? 'single' : 'range';

for (const name of ['crun', 'runc', 'builtin'] as const) {
  const program = name === 'builtin' ? 'unshare' : name;
  mkdirSync(join(folder, name), { recursive: true });
  executorSuite({
    name: `${name}, user namespace with ${rootless === 'single' ? 'one id' : 'a range of ids'}`,
    open: async () => {
      const executor = await createExecutor({
        prefer: name,
        stateFolder: join(folder, 'state'),
        rootless,
        random: systemRandom,
        clock: systemClock,
      });
      if (executor.report.name !== name) throw new Error(`${name} does not work here`);
      return executor;
    },
    folder: join(folder, name),
    busybox: '/bin/busybox',
    ids: rootless,
    skip: findTool(program) === undefined ? `${program} is not installed` : undefined,
  });
}
