import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { needsContainerd, startContainerd, unmountBelow, type TestContainerd } from '../lib/containerd.ts';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { strake, type StrakeOptions, type StrakeResult } from '../lib/strake.ts';

const DOCKERFILE = `FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
FROM base
RUN mkdir -p /d/e && echo hi >/d/e/f && ln /d/e/f /d/g && mkfifo /d/p && chmod 4755 /d/e/f && chown 7:8 /d/g
RUN rm -r /d/e && mkdir /d/e && echo two >/d/e/x && mv /bin/busybox /bin/other && ln -s other /bin/busybox
RUN --network=none grep : /proc/net/dev | cut -d: -f1 >/networks
RUN --mount=type=cache,target=/c echo kept >>/c/file && cat /c/file >/cached
RUN --mount=type=secret,id=s,target=/run/s --mount=type=secret,id=s,env=S [ "$(cat /run/s)" = hush ] && [ "$S" = hush ]
RUN --mount=type=bind,from=base,source=/bin/busybox,target=/mnt/cat cp /etc/resolv.conf /tmp.conf && /mnt/cat /proc/1/comm
RUN --mount=type=bind,target=/src,rw touch /src/new && cp /src/busybox /copied && rm /copied
WORKDIR /work
USER 1234
RUN id -u >/dev/stdout && ! touch /etc/hosts 2>/dev/null
`;

suite('builds by containerd', { skip: needsContainerd }, () => {
  let server: TestContainerd;
  let store: TestStore;
  let ground: string;
  before(async () => {
    server = await startContainerd();
    ground = `containerd,address=${server.address}`;
    store = emptyStore();
    copyFileSync('/bin/busybox', join(store.work, 'busybox'));
    writeFileSync(join(store.work, 'Dockerfile'), DOCKERFILE);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    unmountBelow(store.root);
    store[Symbol.dispose]();
  });

  const build = (args: readonly string[], o: Partial<StrakeOptions> = {}): Promise<StrakeResult> =>
    strake(['build', '--ground', ground, ...args, store.work], {
      root: store.root,
      ...o,
      env: { S: 'hush', ...o.env },
    });
  const nothingRuns = (): void => {
    const { snapshots, ...left } = server.left('strake');
    assert.deepEqual(left, { containers: [], tasks: [], leases: [] });
    for (const name of snapshots) assert.match(name, /^(sha256:|step-)/);
    assert.deepEqual(leftovers(store.root), []);
  };

  test('the image is the one that the overlay ground makes', async () => {
    const args = ['-q', '--no-cache', '--build-arg', 'SOURCE_DATE_EPOCH=1000', '--secret', 'id=s,env=S'];
    const here = await build([...args, '--metadata-file', join(store.work, 'metadata.json')]);
    assert.equal(here.code, 0, here.stderr);
    nothingRuns();
    const plain = emptyStore();
    try {
      const there = await strake(['build', '--ground', 'sandbox', '--executor', 'runc', ...args, store.work], {
        root: plain.root,
        env: { S: 'hush' },
      });
      assert.equal(there.code, 0, there.stderr);
      assert.equal(here.stdout, there.stdout);
    } finally {
      plain[Symbol.dispose]();
    }
    const metadata = JSON.parse(readFileSync(join(store.work, 'metadata.json'), 'utf8')) as Record<string, unknown>;
    const report = metadata['strake.ground'] as { snapshotter: string; executor: string };
    assert.deepEqual([report.snapshotter, report.executor], ['overlayfs', 'containerd']);
  });

  test('what fails, and what is stopped, leaves nothing', async () => {
    writeFileSync(join(store.work, 'Failing'), `${DOCKERFILE}USER 0\nRUN echo before; (sleep 600 &) ; exit 3\n`);
    const failed = await build(['-f', join(store.work, 'Failing'), '--secret', 'id=s,env=S']);
    assert.notEqual(failed.code, 0);
    assert.match(failed.stderr, /exit code: 3/);
    nothingRuns();
    writeFileSync(join(store.work, 'Slow'), `${DOCKERFILE}USER 0\nRUN echo begun; sleep 600\n`);
    let pid = 0;
    const stopped = build(['-f', join(store.work, 'Slow'), '--secret', 'id=s,env=S', '--progress', 'plain'], {
      onStart: (started) => (pid = started),
    });
    while (server.left('strake').tasks.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    process.kill(pid, 'SIGINT');
    assert.equal((await stopped).code, 130);
    nothingRuns();
  });

  test('doctor says what it is; strake run runs by it; prune removes all that it kept', async () => {
    const doctor = await strake(['doctor', '--ground', ground], { root: store.root });
    assert.match(doctor.stdout, /by containerd on overlayfs snapshots/);
    const image = await build(['-q', '--secret', 'id=s,env=S', '-t', 'local/one']);
    assert.equal(image.code, 0, image.stderr);
    const args = ['run', '--ground', ground, '-i', '-u', '0', 'local/one', 'sh', '-c', 'echo up; cat; exit 5'];
    const ran = await strake(args, { root: store.root, input: 'by stdin' });
    assert.deepEqual([ran.code, ran.stdout], [5, 'up\nby stdin'], ran.stderr);
    nothingRuns();
    const env = { STRAKE_GROUND: 'containerd', CONTAINERD_ADDRESS: server.address };
    const pruned = await strake(['prune', '--all', '--images'], { root: store.root, env });
    assert.equal(pruned.code, 0, pruned.stderr);
    assert.ok(server.left('strake').snapshots.length <= 10);
    await strake(['rmi', '--force', 'local/one'], { root: store.root });
    await strake(['prune', '--all', '--images'], { root: store.root, env });
    assert.deepEqual(server.left('strake'), { containers: [], tasks: [], leases: [], snapshots: [] });
    assert.ok(existsSync(store.root));
  });

  test('a containerd that is not there, or named wrongly', async () => {
    mkdirSync(join(store.work, 'empty'), { recursive: true });
    const absent = await strake(['build', '--ground', 'containerd,address=/nowhere/c.sock', '--no-cache', store.work], {
      root: store.root,
      env: { S: 'hush' },
    });
    assert.notEqual(absent.code, 0);
    assert.match(absent.stderr, /connect to containerd at "\/nowhere\/c\.sock": no such file or folder/);
    const wrong = await strake(['build', '--ground', 'containerd,socket=x', store.work], { root: store.root });
    assert.equal(wrong.code, 64);
    assert.match(wrong.stderr, /read --ground "containerd,socket=x": "socket=x"/);
  });
});
