import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hasCode, sleep, sys } from '../../src/base/index.ts';
import { executorSuite } from '../../src/exec/executor.suite.ts';
import { snapshotterSuite } from '../../src/snapshot/snapshotter.suite.ts';
import { openKeeper } from '../../src/worker/ground/open-ground.ts';
import { needsRoot } from '../snapshot/needs-root.ts';
import { groundOptions, KEEPER, KeeperRigs } from './keeper-rig.ts';

/** Needs root: a keeper that has all ids, so that what it makes can be looked at from here. */
const folder = mkdtempSync(join(tmpdir(), 'strake-keeper-test-'));
if (needsRoot === false) sys.unshareMounts();

const maps = { kind: 'none' } as const;
const can = { owners: true, devices: true };

const rigs = new KeeperRigs(folder, { maps, can });
after(() => rigs[Symbol.asyncDispose]());
snapshotterSuite('keeper', () => rigs.rig(), needsRoot);

const options = groundOptions(join(folder, 'exec'));
after(() => options[Symbol.dispose]());
executorSuite({
  name: 'keeper',
  open: async () => {
    const ground = await openKeeper(maps, options);
    return {
      report: ground.executor.report,
      running: ground.executor.running,
      run: (process, o) => ground.executor.run(process, o),
      look: (at, question, w) => ground.executor.look(at, question, w),
      [Symbol.asyncDispose]: () => ground[Symbol.asyncDispose](),
    };
  },
  folder: join(folder, 'roots'),
  busybox: '/bin/busybox',
  ids: 'root',
  skip: needsRoot === false ? undefined : needsRoot,
});

test('50,000 entries and their contents come through', { skip: needsRoot }, async () => {
  await using rig = await rigs.rig();
  await using active = await rig.snapshotter.prepare(undefined);
  const source = active.mounts[0]?.source ?? '';
  for (let i = 0; i < 50_000; i++) writeFileSync(join(source, `file-${i}`), `${i}\n`);
  await rig.snapshotter.commit(active, 'big');
  const tree = await rig.snapshotter.changes('big');
  const entries = await tree.entries();
  assert.equal(entries.length, 50_000);
  const some = entries.filter((_, i) => i % 7 !== 3);
  let text = '';
  for await (const chunk of tree.read(some)) text += Buffer.from(chunk).toString();
  assert.equal(text, some.map(({ path }) => `${path.slice(5)}\n`).join(''));
  assert.equal((await tree.digests(some)).length, some.length);
});

test(
  'what is open in a keeper that is killed fails, and the next one puts things right',
  { skip: needsRoot },
  async () => {
    using options = groundOptions(join(folder, 'killed'));
    const ground = await openKeeper(maps, options);
    await ground.snapshotter.prepare(undefined);
    const stalled = ground.asker.ask('stall', {});
    const lost = (error: unknown): boolean => hasCode(error, 'KEEPER_LOST');
    const failed = assert.rejects(stalled, lost);
    for (const pid of below(ground.pid)) process.kill(pid, 'SIGKILL');
    await failed;
    await assert.rejects(ground.snapshotter.list(), lost);
    await ground[Symbol.asyncDispose]();
    await using next = await openKeeper(maps, options);
    assert.deepEqual(await next.snapshotter.list(), []);
    assert.deepEqual(readdirSync(join(options.folder, 'snapshots/new')), []);
    assert.equal(readdirSync(join(options.folder, 'snapshots/owners')).length, 1);
  },
);

test('a keeper dies with the engine, and takes its steps along', { skip: needsRoot }, async () => {
  const store = join(folder, 'engine');
  const script = join(folder, 'engine.ts');
  const src = join(import.meta.dirname, '../../src');
  writeFileSync(
    script,
    `import { chmodSync, copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
     import { groundOptions } from ${JSON.stringify(join(import.meta.dirname, 'keeper-rig.ts'))};
     import { openKeeper } from ${JSON.stringify(join(src, 'worker/ground/open-ground.ts'))};
     const ground = await openKeeper({ kind: 'none' }, groundOptions(${JSON.stringify(store)}));
     const active = await ground.snapshotter.prepare(undefined);
     const bin = active.mounts[0].source + '/bin';
     mkdirSync(bin);
     copyFileSync('/bin/busybox', bin + '/busybox');
     for (const name of ['sh', 'sleep', 'echo']) symlinkSync('busybox', bin + '/' + name);
     const io = { stdout: (chunk) => process.stdout.write(chunk), stderr: (chunk) => process.stderr.write(chunk) };
     console.log(ground.pid);
     await ground.executor.run({ id: 'long', args: ['/bin/sh', '-c', 'echo running; sleep 987654'], env: [], cwd: '/',
       user: { uid: 0, gid: 0, additionalGids: [] }, hostname: 'x', network: 'host', security: 'sandbox', extraHosts: [],
       ulimits: [], shmSize: 0, mounts: [] }, { root: active.mounts, io });`,
  );
  const engine = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  const running = new Promise<void>((resolve, reject) => {
    engine.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('running')) resolve();
    });
    engine.once('exit', (code) => reject(new Error(`the engine ended with ${code}: ${said}`)));
  });
  await running;
  const keeper = Number(said.split('\n')[0]);
  const all = below(keeper);
  assert.ok(all.length >= 3, 'the keeper and its step run');
  engine.kill('SIGKILL');
  for (let i = 0; i < 250 && all.some(isAlive); i++) await sleep(20);
  assert.deepEqual(all.filter(isAlive), []);
  const left = readFileSync('/proc/self/mountinfo', 'latin1');
  assert.equal(left.includes(store), false);
});

test('a keeper that cannot start says why', { skip: needsRoot }, async () => {
  using options = groundOptions(join(folder, 'broken'));
  const broken = { command: KEEPER.command, args: ['-e', 'console.error("no such ground"); process.exit(3)'] };
  await assert.rejects(openKeeper(maps, { ...options, keeper: broken }), (error) => {
    assert.ok(hasCode(error, 'KEEPER_LOST'));
    assert.match(error.message, /no such ground/);
    return true;
  });
});

after(() => rmSync(folder, { recursive: true, force: true }));

/** A process and all that it and its descendants have started. */
function below(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter(Boolean);
  return [pid, ...children.flatMap((child) => below(Number(child)))];
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}
