import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { systemClock, systemRandom } from '../../src/base/index.ts';
import { createContainerdExecutor } from '../../src/exec/containerd-executor.ts';
import { executorSuite } from '../../src/exec/executor.suite.ts';
import { needsContainerdAndTime, startContainerd, type TestContainerd } from '../lib/containerd.ts';

let server: TestContainerd | undefined;
const folder = mkdtempSync(join(tmpdir(), 'strake-ctdx-'));
before(async () => {
  if (needsContainerdAndTime === false) server = await startContainerd();
});
after(async () => {
  await server?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

executorSuite({
  name: 'containerd',
  open: () =>
    createContainerdExecutor({
      address: server?.address ?? '',
      namespace: 'suite',
      stateFolder: join(folder, 'state'),
      random: systemRandom,
      clock: systemClock,
    }),
  folder: join(folder, 'suite'),
  busybox: '/bin/busybox',
  ids: 'root',
  skip: needsContainerdAndTime === false ? undefined : needsContainerdAndTime,
});
