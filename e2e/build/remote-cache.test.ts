import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { craftedRegistry, rawTar, shellRoot } from '../lib/crafted.ts';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok, stepsOf, strake, type StrakeResult } from '../lib/strake.ts';
import { testUser, userLacking, type TestUser } from '../lib/user.ts';
import { dockerRegistry, lacking, scratchFolder, skopeo } from '../registry/world.ts';

const missing = lacking('docker-registry', 'skopeo') ?? userLacking();

/** What the log says of the Dockerfile's own steps, by what they are. */
function steps(log: string): Record<string, string> {
  return Object.fromEntries(
    [...stepsOf(log)].flatMap(([name, state]) => {
      const step = /^\[(?:\S+ )?\d\/\d\] (.*)$/.exec(name)?.[1];
      return step === undefined || step.startsWith('FROM') ? [] : [[step, state.replace(/ \(.*/, '')]];
    }),
  );
}

const ran = (log: string): string[] =>
  Object.entries(steps(log)).flatMap(([step, state]) => (state === 'CACHED' ? [] : [step]));

/** Bytes of all blobs in a store that are no manifest, config or table of contents. */
function layerBytes(root: string): number {
  const folder = join(root, 'blobs/sha256');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile() && !/^[{[]/.test(readFileSync(path, 'latin1').slice(0, 1)))
    .reduce((sum, path) => sum + statSync(path).size, 0);
}

describe('caches elsewhere (must show 3)', { skip: missing }, () => {
  const closing = new AsyncDisposableStack();
  let host = '';
  let data = '';
  let folder = '';
  let user: TestUser;
  let files: Record<string, string> = {};

  before(async () => {
    const scratch = closing.use(scratchFolder());
    folder = scratch.path;
    data = join(folder, 'data');
    const registry = closing.use(await dockerRegistry(folder));
    ({ host } = registry);
    const crafted = closing.use(await craftedRegistry());
    const base = await crafted.image('shell', [rawTar(shellRoot())]);
    user = closing.use(testUser());
    files = {
      Dockerfile: `FROM ${base.name} AS build
COPY source /source
RUN read a < /source && echo "made of $a" > /made
FROM ${base.name}
COPY --from=build /made /made
RUN echo one > /one
RUN read a < /made && echo "last: $a" > /last
CMD ["/bin/sh"]
`,
      source: 'the source\n',
    };
  });
  after(() => closing.disposeAsync());

  const context = (store: TestStore, more: Record<string, string> = {}): string => {
    for (const [name, content] of Object.entries({ ...files, ...more })) writeFileSync(join(store.work, name), content);
    return store.work;
  };
  const build = async (
    store: TestStore,
    args: readonly string[],
    more: Record<string, string> = {},
    as?: TestUser,
  ): Promise<StrakeResult> => {
    const result = await ok(['build', '--progress=plain', ...args, context(store, more)], {
      root: store.root,
      user: as,
    });
    assert.deepEqual(leftovers(store.root), []);
    return result;
  };
  const changed = (): Record<string, string> => ({
    Dockerfile: files['Dockerfile']?.replace('last: $a', 'changed: $a') ?? '',
  });

  test("a registry: root's cache serves an ordinary user with an empty store; nothing runs, no layer is pulled; a changed last step runs alone", async () => {
    const ref = `type=registry,ref=${host}/cache:main`;
    using mine = emptyStore();
    const first = await build(mine, ['--cache-to', `${ref},mode=max`]);
    assert.equal(ran(first.stderr).length, 5);
    const [id] = first.stdout.split('\n');

    // What is there is a manifest like any other to a tool that knows nothing of it.
    const raw = JSON.parse(
      await skopeo(folder, 'inspect', '--raw', '--tls-verify=false', `docker://${host}/cache:main`),
    ) as {
      config: { mediaType: string };
      layers: unknown[];
    };
    assert.equal(raw.config.mediaType, 'application/vnd.buildkit.cacheconfig.v0');
    assert.ok(raw.layers.length >= 5);

    using theirs = emptyStore(user);
    const second = await build(theirs, ['--cache-from', ref, '-t', 'app'], {}, user);
    assert.deepEqual([second.stdout.split('\n')[0], ran(second.stderr)], [id, []]);
    assert.match(second.stderr, /CACHED \((recipe|content), 127\.0\.0\.1:\d+\/cache:main\)/);
    assert.equal(layerBytes(theirs.root), 0, 'no layer was pulled');

    const last = await build(theirs, ['--cache-from', ref], changed(), user);
    assert.deepEqual(ran(last.stderr), ['RUN read a < /made && echo "changed: $a" > /last']);
    assert.notEqual(layerBytes(theirs.root), 0);

    // Nothing of it travels when it goes to the same registry.
    using pushing = emptyStore();
    const pushed = await build(pushing, ['--cache-from', ref, '-t', `${host}/app:1`, '--push']);
    assert.deepEqual([pushed.stdout.split('\n')[0], ran(pushed.stderr)], [id, []]);
    assert.equal(layerBytes(pushing.root), 0);
    using reading = emptyStore();
    await ok(['pull', `${host}/app:1`], { root: reading.root });
    assert.notEqual(layerBytes(reading.root), 0);
  });

  test("a folder: an ordinary user's cache serves root, with the result whole when the folder is gone", async () => {
    using theirs = emptyStore(user);
    const cache = join(theirs.work, 'cache');
    const first = await build(theirs, ['--cache-to', `type=local,dest=${cache},mode=max,compression=zstd`], {}, user);
    using mine = emptyStore();
    const copy = join(mine.work, 'cache');
    cpSync(cache, copy, { recursive: true });
    const second = await build(mine, ['--cache-from', `type=local,src=${copy}`, '-t', 'app']);
    assert.deepEqual([second.stdout, ran(second.stderr)], [first.stdout, []]);
    rmSync(copy, { recursive: true });
    await ok(['save', 'app', '-o', join(mine.work, 'app.tar')], { root: mine.root });
    assert.ok(existsSync(join(mine.work, 'app.tar')));
  });

  test('what cache mounts hold goes along where it is asked for, from root to an ordinary user and back', async () => {
    const using = (command: string): Record<string, string> => ({
      Dockerfile: `${files['Dockerfile']?.split(' AS ')[0] ?? ''}\nRUN --mount=type=cache,id=kept,target=/kept ${command}\n`,
    });
    const read = using('read a < /kept/file && echo "found: $a" && echo "$a again" > /kept/file');
    using mine = emptyStore();
    const ref = `type=registry,ref=${host}/mounts`;
    await build(mine, ['--cache-to', `${ref},mode=min,mounts=true`], using('echo kept > /kept/file'));
    using theirs = emptyStore(user);
    const local = `${join(theirs.work, 'cache')},mode=max,mounts=true`;
    const second = await build(theirs, ['--cache-from', ref, '--cache-to', `type=local,dest=${local}`], read, user);
    assert.match(second.stderr, /found: kept\n/);
    using third = emptyStore();
    const copy = join(third.work, 'cache');
    cpSync(join(theirs.work, 'cache'), copy, { recursive: true });
    const last = await build(third, ['--no-cache', '--cache-from', `type=local,src=${copy}`], read);
    assert.match(last.stderr, /found: kept again\n/);
  });

  test('inside the image: --cache-to type=inline, --push, and the image as --cache-from', async () => {
    using mine = emptyStore();
    const name = `${host}/inline:1`;
    const args = ['--cache-to', 'type=inline', '-t', name, '--push'];
    const first = await build(mine, args);
    using other = emptyStore();
    const second = await build(other, [...args, '--cache-from', name]);
    assert.deepEqual([second.stdout, ran(second.stderr)], [first.stdout, []]);
    assert.equal(layerBytes(other.root), 0);
    await skopeo(folder, 'copy', '--src-tls-verify=false', `docker://${name}`, `dir:${join(mine.work, 'copy')}`);
    const third = await build(other, ['--cache-from', name], changed());
    assert.equal(ran(third.stderr).length, 1);
  });

  test('two builds at once write and read one cache: both come to what one of them would have, and a third runs nothing', async () => {
    const ref = `type=registry,ref=${host}/both`;
    const args = ['--cache-from', ref, '--cache-to', `${ref},mode=max`];
    using one = emptyStore();
    using two = emptyStore();
    await Promise.all([build(one, args), build(two, args)]);
    using three = emptyStore();
    const third = await build(three, args);
    assert.deepEqual(ran(third.stderr), []);
  });

  test('missing, foreign, truncated and spoiled caches: one warning, and the build is as without', async () => {
    using seed = emptyStore();
    const good = join(seed.work, 'good');
    // With no RUN: what matters here is what is read.
    const simple = { Dockerfile: 'FROM scratch\nCOPY source /one\nCOPY source /two\n' };
    await build(seed, ['--cache-to', `type=local,dest=${good},mode=max`], simple);
    const index = JSON.parse(readFileSync(join(good, 'index.json'), 'utf8')) as { manifests: { digest: string }[] };
    const blob = (digest: string | undefined): string => join('blobs/sha256', (digest ?? '').slice(7));
    const manifest = blob(index.manifests[0]?.digest);
    const { config, layers } = JSON.parse(readFileSync(join(good, manifest), 'utf8')) as {
      config: { digest: string };
      layers: { digest: string }[];
    };
    const cases: Record<string, (cache: string) => void> = {
      'has lost its manifest': (cache) => rmSync(join(cache, manifest)),
      'has half a config': (cache) => truncateSync(join(cache, blob(config.digest)), 100),
      'has half of each layer': (cache) => {
        for (const { digest } of layers) truncateSync(join(cache, blob(digest)), 20);
      },
    };
    const warned = async (from: (store: TestStore) => string, what: string): Promise<void> => {
      using store = emptyStore();
      const place = from(store);
      const { stderr } = await build(store, ['--cache-from', place], simple);
      assert.equal(ran(stderr).length, 2, `${what}: ${stderr}`);
      const warnings = stderr.match(/CacheIgnored: .*/g) ?? [];
      assert.equal(warnings.length, 1, `${what}: ${stderr}`);
      assert.ok(warnings[0]?.includes(`"${place.replace(/.*src=/, '')}"`), `${what}: ${warnings.join(' ')}`);
    };
    for (const [what, spoil] of Object.entries(cases))
      await warned((store) => {
        const cache = join(store.work, 'cache');
        cpSync(good, cache, { recursive: true });
        spoil(cache);
        return `type=local,src=${cache}`;
      }, what);
    await warned(() => `${host}/none:x`, 'is not in the registry');
    await warned(() => `${files['Dockerfile']?.split(' ')[1] ?? ''}:latest`, 'is an image with no cache');
  });

  test("a layer that the registry's disk has spoiled is found out when it is seen: its steps run, and the build succeeds", async () => {
    const ref = `type=registry,ref=${host}/spoiled`;
    using mine = emptyStore();
    await build(mine, ['--cache-to', `${ref},mode=max`], { source: 'spoiled later\n' });
    const raw = await skopeo(folder, 'inspect', '--raw', '--tls-verify=false', `docker://${host}/spoiled`);
    const { layers } = JSON.parse(raw) as { layers: { digest: string; size: number }[] };
    const own = layers.filter(({ size }) => size < 5000);
    assert.ok(own.length >= 4);
    for (const { digest } of own) {
      const hex = digest.slice(7);
      const path = join(data, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
      writeFileSync(path, Buffer.alloc(statSync(path).size, 9));
    }
    using store = emptyStore();
    const more = { source: 'spoiled later\n', ...changed() };
    const { stderr, stdout } = await build(store, ['--cache-from', ref, '-t', 'app'], more);
    assert.match(
      stderr,
      /CacheIgnored: a layer from cache "127\.0\.0\.1:\d+\/spoiled:latest" was not to be had as promised/,
    );
    assert.equal(steps(stderr)['RUN read a < /made && echo "changed: $a" > /last'], 'DONE');
    assert.match(stdout, /^sha256:/);
    await ok(['save', 'app', '-o', join(store.work, 'app.tar')], { root: store.root });
  });

  test('a cache that cannot be written fails the build with one clear message; ignore-error=true makes it a warning', async () => {
    using mine = emptyStore();
    const file = join(mine.work, 'file');
    mkdirSync(mine.work, { recursive: true });
    writeFileSync(file, '');
    const to = `type=local,dest=${join(file, 'cache')}`;
    const failed = await strake(['build', '--progress=plain', '--cache-to', to, context(mine)], { root: mine.root });
    assert.notEqual(failed.code, 0);
    assert.match(failed.stderr, /^error: export cache to ".*\/file\/cache": /m);
    const ignoring = await build(mine, ['--cache-to', `${to},ignore-error=true`]);
    assert.match(ignoring.stderr, /CacheNotWritten: cache ".*\/file\/cache" is not written/);
  });
});
