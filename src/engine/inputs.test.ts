import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalReference, parseReference } from '../image/index.ts';
import { EngineRig } from './engine-rig.suite.ts';
import type { BuildEvent, BuildRequest, BuildResult, ImageMetadata } from './index.ts';

const BASE = 'FROM scratch\nENV FROM_BASE=yes\nCOPY a /a\nRUN wait gate && random /made\n';
const APP = 'FROM base\nCOPY b /b\nRUN cat /made\n';

/** What both are built of, each under names of its own. */
const FOLDERS = {
  'base files': { Dockerfile: BASE, a: 'a' },
  'app files': { Dockerfile: APP, b: 'b' },
};

function optionsOf(name: string): Record<string, string> {
  return { contextkey: `${name} files`, dockerfilekey: `${name} files` };
}

function request(name: string, o: Partial<BuildRequest> = {}): BuildRequest & ImageMetadata {
  return {
    frontend: 'dockerfile',
    options: optionsOf(name),
    platforms: [],
    exports: [{ type: 'store', names: [canonicalReference(parseReference(name))] }],
    allow: [],
    annotations: [],
    ...o,
  };
}

const app = request('app', {
  options: { ...optionsOf('app'), 'context:base': 'target:base' },
  inputs: { base: { frontend: 'dockerfile', options: optionsOf('base'), platforms: [] } },
});

async function built(events: AsyncIterable<BuildEvent>): Promise<BuildResult> {
  let result: BuildResult | undefined;
  for await (const event of events) if (event.kind === 'result') ({ result } = event);
  assert.ok(result);
  return result;
}

test('an image that another build is of comes with its layers, its config and its history, and its steps run once for both', async () => {
  await using rig = await EngineRig.open();
  const host = rig.host({}, { folders: FOLDERS });
  const both = [built(rig.engine.build(request('base'), host)), built(rig.engine.build(app, host))];
  await rig.ground.reached('gate');
  rig.ground.pass('gate');
  await Promise.all(both);
  assert.equal(rig.ground.commands.filter((command) => command.startsWith('wait')).length, 1);
  const [base, found] = await Promise.all(['base', 'app'].map((name) => rig.engine.images.inspect(name)));
  assert.ok(base && found);
  assert.deepEqual(
    found.layers.slice(0, base.layers.length).map(({ diffId }) => diffId),
    base.layers.map(({ diffId }) => diffId),
  );
  const { history: below = [], config: run } = base.config;
  const { history = [], config } = found.config;
  assert.deepEqual(
    history.slice(0, below.length).map((entry) => entry.created_by),
    below.map((entry) => entry.created_by),
  );
  assert.equal(history.filter((entry) => !entry.empty_layer).length, found.layers.length);
  assert.ok(history.every((entry) => entry.created !== undefined));
  assert.deepEqual(run?.Env, config?.Env);
  assert.ok(config?.Env?.includes('FROM_BASE=yes'));
});

test('an input is also what COPY --from reads, and an input of an input is one', async () => {
  await using rig = await EngineRig.open();
  const files = {
    one: { Dockerfile: 'FROM scratch\nCOPY x /x\n', x: 'x' },
    two: { Dockerfile: 'FROM scratch\nCOPY --from=first /x /y\n' },
    three: { Dockerfile: 'FROM scratch\nCOPY --from=second /y /z\n' },
  };
  const host = rig.host({}, { folders: files });
  const options = (name: string, more: Record<string, string> = {}): Record<string, string> => ({
    contextkey: name,
    dockerfilekey: name,
    ...more,
  });
  const one = { frontend: 'dockerfile', options: options('one'), platforms: [] };
  const two = { ...one, options: options('two', { 'context:first': 'target:one' }), inputs: { one } };
  const three = { options: options('three', { 'context:second': 'input:two' }), inputs: { two } };
  await built(rig.engine.build(request('three', three), host));
  const { layers } = await rig.engine.images.inspect('three');
  assert.equal(layers.length, 1);
});

test('an input that is not given is told of', async () => {
  await using rig = await EngineRig.open();
  const host = rig.host({}, { folders: FOLDERS });
  const building = built(rig.engine.build({ ...app, inputs: {} }, host));
  await assert.rejects(building, { code: 'DOCKERFILE_CONTEXT', message: /invalid input base for base/ });
});

test('builds that run anew together run what they share once; alone, each runs it', async () => {
  await using rig = await EngineRig.open();
  const files = { Dockerfile: 'FROM scratch AS a\nRUN random /x\nFROM a\nRUN cat /x\n' };
  const host = rig.host(files);
  const build = (o: Partial<BuildRequest>): Promise<BuildResult> =>
    built(rig.engine.build({ ...request('one', { options: { 'no-cache': '' }, ...o }), noCache: true }, host));
  const runs = (): number => rig.ground.commands.filter((command) => command.startsWith('random')).length;
  await build({});
  await build({});
  assert.equal(runs(), 2);
  const [first] = (await build({ anew: 'word' })).images;
  const [second] = (await build({ anew: 'word' })).images;
  assert.equal(runs(), 3);
  assert.equal(second?.imageId, first?.imageId);
  await Promise.all([build({ anew: 'other' }), build({ anew: 'other' })]);
  assert.equal(runs(), 4);
});
