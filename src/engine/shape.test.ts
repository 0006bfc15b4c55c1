import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLayout, parseConfig, type Image } from '../image/index.ts';
import { FaultProxy } from '../registry/testing/fault-proxy.ts';
import { registryOf } from '../registry/testing/world.ts';
import { EngineRig, type BuildOptions, type Built } from './engine-rig.suite.ts';

const FILES = {
  Dockerfile: `FROM scratch AS base
COPY a /a
FROM base
RUN mkdir tmp
RUN write /tmp/junk x
RUN write /b b
RUN rm /a
LABEL x=y
`,
  a: 'content of a',
};

function done(built: Built): string {
  if (built.error !== undefined) throw built.error as Error;
  return built.id ?? assert.fail('no image');
}

/** What each layer holds, and the history. */
async function shapeOf(rig: EngineRig, o: BuildOptions): Promise<{ layers: string[][]; history: string[] }> {
  const sink = 'folder-layout';
  done(
    await rig.build(FILES, {
      ...o,
      exports: [{ type: 'oci', sink, tar: false, names: [], compression: { name: 'none' } }],
    }),
  );
  const image = (await openLayout(rig.path(sink)).images[0]?.open()) as Image;
  const layers: string[][] = [];
  for (const layer of await image.layers()) {
    const tar = Buffer.concat(await Array.fromAsync(await layer.compressed()));
    const names: string[] = [];
    for (let at = 0; at < tar.length && tar[at] !== 0;) {
      names.push(tar.toString('latin1', at, tar.indexOf(0, at)));
      at += 512 + Math.ceil(Number.parseInt(tar.toString('latin1', at + 124, at + 135), 8) / 512) * 512;
    }
    layers.push(names);
  }
  const { history = [] } = parseConfig(await image.config());
  return { layers, history: history.map(({ empty_layer: empty }) => (empty ? 'empty' : 'layer')) };
}

test('squash: one layer holds what all steps came to, and the history says so', async () => {
  await using rig = await EngineRig.open();
  const { layers, history } = await shapeOf(rig, { squash: true });
  assert.deepEqual(layers, [['b', 'tmp/', 'tmp/junk']]);
  assert.deepEqual(history, ['empty', 'empty', 'empty', 'empty', 'layer', 'empty']);
});

test('squash leaves the layers of the base alone, and removes from it what steps removed', async () => {
  await using registry = await registryOf();
  const name = `${registry.server.host}/base:1`;
  await using rig = await EngineRig.open();
  done(
    await rig.build(
      { Dockerfile: 'FROM scratch\nCOPY a /a\n', a: 'a' },
      { exports: [{ type: 'registry', names: [name] }] },
    ),
  );
  const files = { Dockerfile: `FROM ${name}\nRUN write /b b\nRUN rm /a\n` };
  const built = await rig.build(files, { names: ['x'], squash: true });
  done(built);
  const { layers, config } = await rig.engine.images.inspect('x');
  assert.equal(layers.length, 2);
  assert.deepEqual(
    config.history?.map(({ empty_layer: empty }) => empty === true),
    [false, true, false],
  );
  const run = await rig.build({ Dockerfile: `FROM x\nRUN cat /b\nRUN cat /a\n` });
  assert.match(run.log, /^b/);
  assert.notEqual(run.error, undefined, '/a is gone');
});

test('leaveOut: no new layer holds these paths, alone and with squash', async () => {
  await using rig = await EngineRig.open();
  const plain = await shapeOf(rig, { leaveOut: ['/tmp', '/nothing'] });
  assert.deepEqual(plain.layers, [['a'], [], [], ['b'], ['.wh.a']]);
  assert.deepEqual((await shapeOf(rig, { leaveOut: ['/tmp/junk'], squash: true })).layers, [['b', 'tmp/']]);
});

test('a tag that may not change is a failure, unless that is accepted', async () => {
  await using registry = await registryOf();
  const body = JSON.stringify({
    errors: [
      {
        code: 'TAG_INVALID',
        message: "The image tag 'x' already exists and cannot be overwritten because the tag is immutable.",
      },
    ],
  });
  await using proxy = await FaultProxy.listen(registry.server.url, {
    method: 'PUT',
    path: /\/manifests\/1$/,
    times: 99,
    fault: { kind: 'status', status: 400, body },
  });
  await using rig = await EngineRig.open();
  const names = [`${proxy.host}/x:1`, `${proxy.host}/x:2`];
  const failed = await rig.build(FILES, { exports: [{ type: 'registry', names }] });
  assert.match(String(failed.error), /immutable/);
  assert.equal(await registry.manifests.get('x', '2'), undefined);
  const accepted = await rig.build(FILES, { exports: [{ type: 'registry', names, acceptImmutable: true }] });
  done(accepted);
  const pushed = await registry.manifests.get('x', '2');
  assert.equal(accepted.result?.images[0]?.manifests[0]?.descriptor.digest, pushed?.digest);
});
