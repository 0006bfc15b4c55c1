import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { findTool, sys, systemClock, systemRandom } from '../../src/base/index.ts';
import { createExecutor } from '../../src/exec/index.ts';
import { executorSuite } from '../../src/exec/executor.suite.ts';

const busybox = '/bin/busybox';
const isRoot = process.getuid?.() === 0;
const folder = mkdtempSync(join(tmpdir(), 'strake-exec-'));
if (isRoot) sys.unshareMounts();
after(() => rmSync(folder, { recursive: true, force: true }));

for (const name of ['crun', 'runc', 'builtin'] as const) {
  const program = name === 'builtin' ? 'unshare' : name;
  const skip = isRoot ? (findTool(program) === undefined ? `${program} is not installed` : undefined) : 'not root';
  executorSuite({
    name: `${name}, root`,
    open: async () => {
      const executor = await createExecutor({
        prefer: name,
        stateFolder: join(folder, 'state'),
        random: systemRandom,
        clock: systemClock,
      });
      if (executor.report.name !== name) throw new Error(`${name} does not work here`);
      return executor;
    },
    folder: join(folder, name),
    busybox,
    ids: 'root',
    skip,
  });
}
