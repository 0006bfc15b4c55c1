import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { needsContainerd, startContainerd, unmountBelow, type TestContainerd } from '../lib/containerd.ts';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { strake, type StrakeResult } from '../lib/strake.ts';

const BASE = `FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
`;

suite('a step outlives the build that is killed', { skip: needsContainerd }, () => {
  let server: TestContainerd;
  let store: TestStore;
  before(async () => {
    server = await startContainerd();
    store = emptyStore();
    copyFileSync('/bin/busybox', join(store.work, 'busybox'));
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    unmountBelow(store.root);
    store[Symbol.dispose]();
  });

  const build = (onStart?: (pid: number) => void): Promise<StrakeResult> =>
    strake(
      argumentsOf(
        `build --ground containerd,address=${server.address} --progress plain --secret id=s,env=S --network none`,
        `-o type=local,dest=${join(store.work, 'out')} ${store.work}`,
      ),
      { root: store.root, env: { S: 'hush-hush' }, onStart },
    );
  const out = (name: string): string => readFileSync(join(store.work, 'out', name), 'utf8');
  /** Starts a build and kills it with -9 once its step has made this file in the shared cache. */
  const killed = async (mark: string): Promise<void> => {
    let pid = 0;
    const ended = build((started) => (pid = started));
    const caches = join(store.root, 'ground/caches');
    const isMade = (): boolean =>
      existsSync(caches) &&
      readdirSync(caches, { recursive: true, encoding: 'utf8' }).some((path) => path.endsWith(`/${mark}`));
    for (let i = 0; !isMade(); i++) {
      assert.ok(i < 600, 'the step does not begin');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    process.kill(pid, 'SIGKILL');
    await ended;
  };
  const nothingRuns = (): void => {
    const { snapshots, ...left } = server.left('strake');
    assert.deepEqual(left, { containers: [], tasks: [], leases: [] });
    for (const name of snapshots) assert.match(name, /^(sha256:|step-)/);
    assert.deepEqual(leftovers(store.root), []);
    assert.deepEqual(
      readdirSync(join(store.root, 'ground/containerd')).filter((name) => /^exec-[0-9a-f]/.test(name)),
      [],
    );
  };

  test('the next build finds it, though containerd was killed too, and uses its result', async () => {
    const dockerfile = `${BASE}RUN --mount=type=cache,target=/c --mount=type=secret,id=s cat /run/secrets/s | wc -c && echo begun && touch /mnt-stub && rm /mnt-stub && echo run >>/c/runs && touch /c/begun-1 && while [ ! -e /c/go ]; do sleep 0.1; done && cat /run/secrets/s | wc -c && echo finished && cat /c/runs >/runs\n`;
    writeFileSync(join(store.work, 'Dockerfile'), dockerfile);
    await killed('begun-1');
    assert.equal(server.left('strake').tasks.length, 1);
    // Its secret is mounted, and has no name left on this machine.
    assert.deepEqual(
      readdirSync(join(store.root, 'ground/containerd'), { recursive: true, encoding: 'utf8' }).filter(
        (path) =>
          /\/run\/step-[^/]*\/m\d+$/.test(path) &&
          contentOf(join(store.root, 'ground/containerd', path)) === 'hush-hush',
      ),
      [],
    );
    await server.crash();
    await server.start();
    const cache = readdirSync(join(store.root, 'ground/caches'), { recursive: true, encoding: 'utf8' }).find((path) =>
      path.endsWith('/runs'),
    );
    setTimeout(() => writeFileSync(join(store.root, 'ground/caches', cache ?? '', '../go'), ''), 2000);
    const next = await build();
    assert.equal(next.code, 0, next.stderr);
    assert.match(next.stderr, /this step was found running/);
    assert.match(next.stderr, /9\n.* begun\n(.*\n)*.* 9\n.* finished/);
    assert.equal(out('runs'), 'run\n');
    assert.deepEqual(readdirSync(join(store.work, 'out')).sort(), ['bin', 'runs']);
    nothingRuns();
    const again = await build();
    assert.doesNotMatch(again.stderr, /found running|^#\d+ [\d.]+ finished/m);
  });

  test('one that fails meanwhile is run anew; one that nobody wants goes with prune', async () => {
    const failing = `${BASE}RUN --mount=type=cache,target=/c touch /c/begun-2 && [ -e /c/second ] && echo ran >/ran || { sleep 1.5; touch /c/second; exit 3; }\n`;
    writeFileSync(join(store.work, 'Dockerfile'), failing);
    await killed('begun-2');
    const next = await build();
    assert.equal(next.code, 0, next.stderr);
    assert.match(next.stderr, /exit code 3: it is run anew/);
    assert.equal(out('ran'), 'ran\n');
    nothingRuns();
    writeFileSync(
      join(store.work, 'Dockerfile'),
      `${BASE}RUN --mount=type=cache,target=/c touch /c/begun-3 && sleep 600\n`,
    );
    await killed('begun-3');
    writeFileSync(join(store.work, 'Dockerfile'), `${BASE}RUN echo another >/another\n`);
    const other = await build();
    assert.equal(other.code, 0, other.stderr);
    assert.equal(server.left('strake').tasks.length, 1);
    const env = { STRAKE_GROUND: `containerd,address=${server.address}` };
    assert.equal((await strake(['prune'], { root: store.root, env })).code, 0);
    nothingRuns();
  });
});

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function argumentsOf(...lines: readonly string[]): string[] {
  return lines.flatMap((line) => line.split(' '));
}
