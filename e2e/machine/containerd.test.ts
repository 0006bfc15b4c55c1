import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { needsContainerd, startContainerd, type TestContainerd } from '../lib/containerd.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok, strake, type StrakeResult } from '../lib/strake.ts';
import { buildBox } from './busybox-image.ts';
import { freePort } from './running.ts';

suite('containers in the background, by containerd', { skip: needsContainerd }, () => {
  let containerd: TestContainerd;
  let store: TestStore;
  before(async () => {
    containerd = await startContainerd();
    store = emptyStore();
    await buildBox(store);
  });
  after(async () => {
    await cli('rm', '-f', 'web', 'orphan');
    await containerd[Symbol.asyncDispose]();
    store[Symbol.dispose]();
  });

  const cli = (...args: string[]): Promise<StrakeResult> => strake(args, { root: store.root });
  const good = async (...args: string[]): Promise<string> => (await ok(args, { root: store.root })).stdout;
  const run = (...args: string[]): Promise<string> =>
    good('run', '-d', '--ground', `containerd,address=${containerd.address}`, ...args);
  const until = async (what: string, is: () => Promise<boolean> | boolean): Promise<void> => {
    for (let looks = 0; !(await is()); looks++) {
      assert.ok(looks < 300, what);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };

  test('it is a task of containerd that serves, takes commands, stops, and goes on with what it wrote', async () => {
    const port = await freePort();
    await run(
      '--name',
      'web',
      '-e',
      `PORT=${port}`,
      '-p',
      `${port}:${port}`,
      'box',
      'sh',
      '-c',
      'trap "echo stopped; exit 3" USR1; httpd -p $PORT -h /www; echo started; while :; do sleep 0.1; done',
    );
    assert.equal(containerd.left('strake').tasks.length, 1);
    const page = async (): Promise<string> =>
      (await fetch(`http://127.0.0.1:${port}`, { headers: { connection: 'close' } })).text();
    await until('it does not listen', async () => (await good('logs', 'web')).includes('started'));
    assert.equal(await page(), 'a page\n');
    const told = await cli('exec', '-u', 'web', 'web', 'sh', '-c', 'id -u; exit 9');
    assert.deepEqual([told.code, told.stdout], [9, '1000\n'], told.stderr);
    await good('exec', 'web', 'sh', '-c', 'echo kept >/www/kept');
    await good('stop', 'web');
    assert.equal(await good('wait', 'web'), '3\n');
    assert.equal(await good('logs', 'web'), 'started\nstopped\n');
    assert.deepEqual(containerd.left('strake').tasks, []);
    await good('start', 'web');
    assert.equal(await good('exec', 'web', 'cat', '/www/kept'), 'kept\n');
    await good('rm', '-f', 'web');
    assert.deepEqual([containerd.left('strake').containers, containerd.left('strake').tasks], [[], []]);
  });

  test('when its monitor is killed, the next command ends the task', async () => {
    await run('--name', 'orphan', '--network', 'none', 'box', 'sleep', '600');
    const monitor = (JSON.parse(await good('inspect', 'orphan')) as [{ Monitor: number }])[0].Monitor;
    process.kill(monitor, 'SIGKILL');
    await until('it is not lost', async () => /\(lost\)/.test(await good('ps', '-a')));
    assert.deepEqual(containerd.left('strake').tasks, []);
    await good('rm', 'orphan');
  });
});
