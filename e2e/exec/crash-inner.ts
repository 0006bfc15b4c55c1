/** Runs a step that sleeps until it is killed: `crash.test.ts` does so. Arguments: executor, state folder, root, marker. */
import { sys, systemClock, systemRandom } from '../../src/base/index.ts';
import { createExecutor, type ExecutorName } from '../../src/exec/index.ts';

const [prefer, stateFolder = '', root = '', marker = ''] = process.argv.slice(2);
sys.unshareMounts();
const executor = await createExecutor({
  prefer: prefer as ExecutorName,
  stateFolder,
  random: systemRandom,
  clock: systemClock,
});
console.log('ready');
await executor.run(
  {
    id: 'crash',
    args: ['/busybox', 'sh', '-c', `/busybox setsid /busybox sleep ${marker} & exec /busybox sleep ${marker}`],
    env: [],
    cwd: '/',
    user: { uid: 0, gid: 0, additionalGids: [] },
    hostname: 'box',
    network: 'default',
    security: 'sandbox',
    extraHosts: [],
    ulimits: [],
    shmSize: 0,
    mounts: [{ type: 'tmpfs', target: '/t' }],
  },
  {
    root: [{ type: 'bind', source: root, options: ['bind'] }],
    io: { stdout: () => undefined, stderr: (c) => void process.stderr.write(c) },
  },
);
