import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { imageId, makeIndex, parseReference, type Image } from '../image/index.ts';
import type { RegistryClient } from '../registry/index.ts';
import { FaultProxy } from '../registry/testing/fault-proxy.ts';
import { clientOf, registryOf } from '../registry/testing/world.ts';
import { craftApp, craftRun } from './app-images.suite.ts';
import { EngineRig } from './engine-rig.suite.ts';

const OLD = craftRun(['old-one', 'old-two'], {
  labels: { 'io.buildpacks.base.id': 'x', 'io.buildpacks.base.old': '1' },
});
const NEW = craftRun(['new-one', 'new-two', 'new-three'], { labels: { 'io.buildpacks.base.id': 'x' } });
const host = { credentials: async () => undefined };

/** A registry behind a proxy that counts, a client for it and an engine. */
async function world() {
  await using stack = new AsyncDisposableStack();
  const registry = stack.use(await registryOf());
  const proxy = stack.use(await FaultProxy.listen(registry.server.url));
  const { client } = stack.use(clientOf());
  const rig = stack.use(await EngineRig.open());
  const kept = stack.move();
  const at = (name: string): string => `${proxy.host}/${name}`;
  return {
    proxy,
    rig,
    at,
    push: (name: string, image: Parameters<RegistryClient['push']>[0]) => client.push(image, parseReference(at(name))),
    manifestOf: async (name: string) => (await client.manifest(parseReference(at(name)))).content,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

const idOf = (image: Image): Promise<string> => imageId(image);

suite('a rebase in the registry', () => {
  test('gives what a build on the new base gives, and no layer is downloaded or sent', async () => {
    await using w = await world();
    const runName = w.at('base/run:1');
    const app = await craftApp(OLD, { runName });
    await w.push('base/run:1', OLD.image);
    await w.push('team/app:1', app.image);
    await w.push('base/run:1', NEW.image);
    w.proxy.seen.length = 0;
    const result = await w.rig.engine.images.rebase(w.at('team/app:1'), { publish: true, host });
    const layers = [...OLD.blobs, ...NEW.blobs, ...app.blobs];
    const about = (pattern: RegExp) => w.proxy.asked(pattern);
    for (const digest of layers)
      assert.deepEqual(
        about(new RegExp(`^[^?]*${digest}`)).filter((line) => line.startsWith('GET')),
        [],
      );
    for (const digest of NEW.blobs)
      assert.equal(about(new RegExp(`mount=${encodeURIComponent(digest)}&from=base%2Frun`)).length, 1, digest);
    assert.deepEqual(
      w.proxy.seen.filter(({ method, path }) => method === 'PUT' && path.includes('/blobs/')).length,
      1,
      'only the config is sent',
    );
    const fresh = await craftApp(NEW, { runName });
    assert.equal(
      Buffer.from(await w.manifestOf('team/app:1')).toString(),
      Buffer.from(await fresh.image.manifest()).toString(),
    );
    assert.equal(result.imageId, await idOf(fresh.image));
    assert.deepEqual(result.warnings, []);
    assert.equal(result.runImage, runName);
    assert.deepEqual(await w.rig.engine.images.list(), []);
  });

  test('under another name mounts the layers of the app, which stays', async () => {
    await using w = await world();
    const runName = w.at('run');
    const app = await craftApp(OLD, { runName });
    await w.push('run', NEW.image);
    await w.push('team/app:1', app.image);
    w.proxy.seen.length = 0;
    await w.rig.engine.images.rebase(w.at('other/app:2'), { publish: true, previous: w.at('team/app:1'), host });
    for (const digest of app.blobs)
      assert.equal(w.proxy.asked(new RegExp(`mount=${encodeURIComponent(digest)}&from=team%2Fapp`)).length, 1, digest);
    assert.equal(
      w.proxy.seen.some(
        ({ method, path }) =>
          method === 'GET' &&
          path.includes('/blobs/') &&
          [...app.blobs, ...NEW.blobs].some((digest) => path.includes(digest)),
      ),
      false,
    );
    assert.deepEqual(await w.manifestOf('team/app:1'), await app.image.manifest());
    assert.deepEqual(await w.manifestOf('other/app:2'), await (await craftApp(NEW, { runName })).image.manifest());
  });

  test('takes a mirror in the same registry first, and another one where that cannot be had', async () => {
    await using w = await world();
    const mirrors = [w.at('gone/run'), w.at('mirror/run')];
    const o = { runName: '127.0.0.1:9/run:1', mirrors };
    await w.push('mirror/run', NEW.image);
    await w.push('app', (await craftApp(OLD, o)).image);
    const { runImage } = await w.rig.engine.images.rebase(w.at('app'), { publish: true, host });
    assert.equal(runImage, w.at('mirror/run'));
    assert.equal(w.proxy.asked(/gone\/run\/manifests/).length > 0, true);
  });

  test('says of each run image why it cannot be had', async () => {
    await using w = await world();
    await w.push('app', (await craftApp(OLD, { runName: w.at('a/run'), mirrors: [w.at('b/run')] })).image);
    await assert.rejects(w.rig.engine.images.rebase(w.at('app'), { publish: true, host }), {
      code: 'REBASE_NO_RUN_IMAGE',
      message: /failed to find accessible run image: .*a\/run.*; .*b\/run/,
    });
  });

  test('does all platforms of an index', async () => {
    await using w = await world();
    const runName = w.at('run');
    const runs = (names: readonly string[]) =>
      ['amd64', 'arm64'].map((architecture) =>
        craftRun(
          names.map((name) => `${name}-${architecture}`),
          { architecture },
        ),
      );
    const indexOf = (images: readonly Image[]) =>
      makeIndex(
        images.map((image) => ({ image })),
        { mediaTypes: 'oci' },
      );
    const apps = async (of: ReturnType<typeof runs>) =>
      Promise.all(of.map(async (run) => (await craftApp(run, { runName })).image));
    const [before, after] = [runs(['old']), runs(['new', 'newer'])];
    await w.push('run', indexOf(after.map(({ image }) => image)));
    await w.push('app', indexOf(await apps(before)));
    const result = await w.rig.engine.images.rebase(w.at('app'), { publish: true, host });
    assert.deepEqual(await w.manifestOf('app'), await indexOf(await apps(after)).manifest());
    assert.equal(result.imageId, undefined);
  });

  test('is refused where the app does not fit, and changes nothing', async () => {
    await using w = await world();
    const app = await craftApp(OLD, { runName: w.at('run'), labels: { 'io.buildpacks.rebasable': 'false' } });
    await w.push('run', NEW.image);
    await w.push('app', app.image);
    const rebase = (force: boolean) => w.rig.engine.images.rebase(w.at('app'), { publish: true, force, host });
    await assert.rejects(rebase(false), { code: 'CNB_REBASE_FAILED', message: /not marked as rebasable/ });
    assert.deepEqual(await w.manifestOf('app'), await app.image.manifest());
    assert.deepEqual((await rebase(true)).warnings, ['app image is not marked as rebasable']);
    await w.push('plain', NEW.image);
    await assert.rejects(w.rig.engine.images.rebase(w.at('plain'), { publish: true, host }), {
      code: 'CNB_REBASE_FAILED',
      message: /could not find label/,
    });
  });
});

suite('a rebase in the store', () => {
  test('gives the image of a build on the new base, its layers left where they are', async () => {
    await using w = await world();
    const runName = w.at('run');
    const app = await craftApp(OLD, { runName });
    await w.push('run', OLD.image);
    await w.push('app', app.image);
    await w.rig.engine.images.pull(w.at('app'), { host });
    await w.rig.engine.images.pull(runName, { host });
    await w.push('run', NEW.image);
    w.proxy.seen.length = 0;
    const { images } = w.rig.engine;
    const rebase = (pull: 'always' | 'missing' | 'never', name: string) =>
      images.rebase(name, { previous: w.at('app'), pull, host });
    assert.equal((await rebase('missing', 'same')).imageId, await idOf(app.image));
    assert.deepEqual(w.proxy.asked(/run/), []);
    const fresh = await idOf((await craftApp(NEW, { runName })).image);
    assert.equal((await rebase('always', 'newer')).imageId, fresh);
    assert.deepEqual(
      w.proxy.asked(/blobs/).filter((line) => [...NEW.blobs, ...app.blobs].some((digest) => line.includes(digest))),
      [],
    );
    assert.equal((await images.inspect('newer')).id, fresh);
    assert.equal((await images.inspect(w.at('app'))).id, await idOf(app.image));
    // What it lacks comes when it is needed.
    const pushed = await images.push('newer', w.at('pushed'), { host });
    assert.equal(pushed.size > 0, true);
  });

  test('uses the run image of the store where its registry has none, and says so', async () => {
    await using w = await world();
    await using elsewhere = await world();
    const runName = elsewhere.at('run');
    await elsewhere.push('run', NEW.image);
    await w.rig.engine.images.pull(runName, { host });
    await elsewhere[Symbol.asyncDispose]();
    await w.push('app', (await craftApp(OLD, { runName })).image);
    await w.rig.engine.images.pull(w.at('app'), { host });
    const result = await w.rig.engine.images.rebase(w.at('app'), { host });
    assert.match(result.warnings.join(), /of the local store is used/);
    assert.equal(result.imageId, await idOf((await craftApp(NEW, { runName })).image));
  });

  test('needs a name that can be given, and a run image that can be had', async () => {
    await using w = await world();
    const app = await craftApp(OLD, { runName: w.at('run') });
    const { digest } = await w.push('app', app.image);
    await w.rig.engine.images.pull(w.at('app'), { host });
    await assert.rejects(w.rig.engine.images.rebase(`${w.at('app')}@${digest}`, { host }), { code: 'REBASE_NO_TAG' });
    await assert.rejects(w.rig.engine.images.rebase(w.at('app'), { pull: 'never', host }), { code: 'IMAGE_NOT_FOUND' });
    await assert.rejects(w.rig.engine.images.rebase('nothing', { host }), { code: 'IMAGE_NOT_FOUND' });
  });
});
