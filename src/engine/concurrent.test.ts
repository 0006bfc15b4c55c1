import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kindOf, type CodedError } from '../base/index.ts';
import { EngineRig, type BuildOptions, type Built } from './engine-rig.suite.ts';
import type { BuildEvent } from './index.ts';

const SLOW = { Dockerfile: 'FROM scratch\nCOPY a /a\nRUN wait gate && random /b\nRUN cat /b\n', a: 'a' };

test('two builds of the same at once in one engine run each step once and come to the same image', async () => {
  await using rig = await EngineRig.open();
  const one = rig.build(SLOW, { names: ['one'] });
  await rig.ground.reached('gate');
  const two = await joining(rig, SLOW, { names: ['two'] });
  rig.ground.pass('gate');
  const [first, second] = await Promise.all([one, two.built]);
  assert.deepEqual([first.error, second.error], [undefined, undefined]);
  assert.equal(first.id, second.id);
  assert.equal(rig.ground.commands.filter((command) => command.startsWith('random')).length, 1);
  for (const { events } of [first, second]) {
    const vertex = events.find((event) => event.kind === 'vertex' && event.name.includes('RUN wait'));
    const story = events.filter((event) => 'id' in event && vertex && 'id' in vertex && event.id === vertex.id);
    assert.ok(story.some((event) => event.kind === 'started'));
    assert.ok(story.some((event) => event.kind === 'completed' && event.error === undefined));
  }
});

test('when the build that began a step is cancelled the one that waits for it still gets it', async () => {
  await using rig = await EngineRig.open();
  const controller = new AbortController();
  const one = rig.build(SLOW, { signal: controller.signal });
  await rig.ground.reached('gate');
  const two = await joining(rig, SLOW);
  controller.abort();
  const cancelled = await one;
  assert.equal(kindOf(cancelled.error), 'cancelled');
  rig.ground.pass('gate');
  const built = await two.built;
  assert.equal(built.error, undefined);
  assert.equal(rig.ground.running.size, 0);
});

test('a failure of a shared step is told of in both builds', async () => {
  await using rig = await EngineRig.open();
  const files = { Dockerfile: 'FROM scratch\nRUN wait gate && exit 3\n' };
  const one = rig.build(files);
  await rig.ground.reached('gate');
  const two = await joining(rig, files);
  rig.ground.pass('gate');
  for (const built of await Promise.all([one, two.built])) {
    assert.equal((built.error as CodedError).code, 'STEP_FAILED');
    assert.equal((built.error as CodedError).place?.line, 2);
    assert.equal(built.events.filter((event) => event.kind === 'completed' && event.error !== undefined).length, 1);
  }
});

test('two engines on one store come to the same image, whoever is first', async () => {
  await using rig = await EngineRig.open();
  await using other = await EngineRig.open({ root: rig.root });
  const builds = [rig.build(SLOW, { names: ['x'] }), other.build(SLOW, { names: ['x'] })];
  await Promise.all([rig.ground.reached('gate'), other.ground.reached('gate')]);
  rig.ground.pass('gate');
  other.ground.pass('gate');
  const [one, two] = await Promise.all(builds);
  assert.deepEqual([one?.error, two?.error], [undefined, undefined]);
  assert.equal(one?.id, two?.id);
  assert.deepEqual(await Array.fromAsync(rig.engine.store.check()), []);
});

test('steps that do not need each other run at the same time', async () => {
  await using rig = await EngineRig.open();
  const Dockerfile = `FROM scratch AS a
RUN wait both && write /a a
FROM scratch AS b
RUN wait all && write /b b
FROM scratch
COPY --from=a /a /
COPY --from=b /b /
`;
  const building = rig.build({ Dockerfile });
  await Promise.all([rig.ground.reached('both'), rig.ground.reached('all')]);
  rig.ground.pass('both');
  rig.ground.pass('all');
  assert.equal((await building).error, undefined);
});

/** A second build, begun and waiting for a step of the first. */
async function joining(
  rig: EngineRig,
  files: Record<string, string>,
  o: BuildOptions = {},
): Promise<{ built: Promise<Built> }> {
  const { promise: waits, resolve } = Promise.withResolvers<void>();
  const onEvent = (event: BuildEvent): void => {
    if (event.kind === 'note' && event.text.startsWith('the same step is running')) resolve();
  };
  const built = rig.build(files, { ...o, onEvent });
  await Promise.race([waits, built.then(() => assert.fail('the second build waited for nothing'))]);
  assert.equal(rig.ground.running.size, 1);
  return { built };
}
