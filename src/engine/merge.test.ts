import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Frontend } from '../frontend/index.ts';
import { scratch, State } from '../graph/index.ts';
import { tarFileTree } from '../tree/index.ts';
import { EngineRig } from './engine-rig.suite.ts';

function run(below: State, script: string): State {
  const op = {
    args: ['sh', '-c', script],
    env: [],
    cwd: '/',
    user: '',
    mounts: [{ type: 'bind', target: '/', input: 0, readonly: false, output: 0 }],
    network: 'default',
    security: 'sandbox',
    platform: { os: 'linux', architecture: 'amd64' },
  } as const;
  return below.exec(op, [], { name: script });
}

/** One layer for each pair of states. */
function planOf(pairs: readonly (readonly [State, State])[], root: State): Frontend {
  const platform = { os: 'linux', architecture: 'amd64' };
  const layers = pairs.map(([before, after]) => ({ kind: 'step', before, after, dialect: 'oci' }) as const);
  const history = layers.map((_, i) => ({ created_by: `layer ${i}` }));
  const config = { ...platform, config: {}, rootfs: { type: 'layers' as const, diff_ids: [] }, history };
  const result = { layers, root, platform, config, baseHistory: 0, attestations: [] };
  return async () => ({ results: new Map([['linux/amd64', result]]), metadata: new Map() });
}

const label = (name: string): { name: string } => ({ name });
const merge = (...states: readonly State[]): State => State.merge(states, label('merge'));
const diff = (lower: State, upper: State): State => State.diff(lower, upper, label('diff'));

async function entriesOf(rig: EngineRig, name: string): Promise<{ diffIds: string[]; entries: string[] }> {
  const { layers } = await rig.engine.images.inspect(name);
  const entries: string[] = [];
  for (const { diffId } of layers) {
    const hex = diffId.slice('sha256:'.length);
    const tree = await tarFileTree(join(rig.root, 'blobs/sha256', hex.slice(0, 2), hex));
    entries.push((await tree.entries()).map(({ type, path }) => `${type === 'whiteout' ? '-' : ''}${path}`).join(' '));
  }
  return { diffIds: layers.map(({ diffId }) => diffId), entries };
}

test('a merge keeps the layers of each input; what one takes away is gone from those below it', async () => {
  const base = run(scratch, 'write /kept 1 && write /gone 1 && write /both base');
  const other = run(scratch, 'write /both other && write /other 1');
  const removed = diff(base, run(base, 'rm /gone && write /new 1'));
  const elsewhere = diff(run(scratch, 'write /kept x'), run(scratch, 'write /fresh x'));
  const merged = merge(base, other, removed, elsewhere);
  const seen = run(merged, 'cat /both && cat /other && cat /new && cat /fresh');
  const frontends = {
    merged: planOf(
      [
        [scratch, base],
        [base, merge(base, other)],
        [merge(base, other), merge(base, other, removed)],
        [merge(base, other, removed), merged],
        [merged, seen],
      ],
      seen,
    ),
    missing: planOf([[scratch, run(merged, 'cat /gone')]], merged),
    covered: planOf([[scratch, run(merged, 'cat /kept')]], merged),
  };
  await using rig = await EngineRig.open({ frontends });
  const built = await rig.build({}, { frontend: 'merged', names: ['merged'] });
  assert.equal(built.error, undefined);
  assert.equal(built.log, 'other\n1\n1\nx\n');
  const { entries } = await entriesOf(rig, 'merged');
  assert.deepEqual(entries, ['both gone kept', 'both other', '-gone new', 'fresh -kept', '']);
  for (const frontend of ['missing', 'covered'] as const)
    assert.notEqual((await rig.build({}, { frontend })).error, undefined, frontend);
});

test('a layer of a merge is the same blob whatever is below, and is not made again', async () => {
  const layer = run(scratch, 'random /layer');
  const [one, two] = [run(scratch, 'write /base 1'), run(scratch, 'write /base 2')];
  const frontends = {
    one: planOf(
      [
        [scratch, one],
        [one, merge(one, layer)],
      ],
      merge(one, layer),
    ),
    two: planOf(
      [
        [scratch, two],
        [two, merge(two, layer)],
      ],
      merge(two, layer),
    ),
    alone: planOf([[scratch, merge(scratch, layer)]], layer),
  };
  await using rig = await EngineRig.open({ frontends });
  const ids: string[] = [];
  for (const frontend of Object.keys(frontends)) {
    const built = await rig.build({}, { frontend, names: [frontend] });
    assert.equal(built.error, undefined);
    if (frontend !== 'one') assert.ok(!built.ran.includes('random /layer'));
    ids.push((await entriesOf(rig, frontend)).diffIds.at(-1) ?? '');
  }
  assert.equal(new Set(ids).size, 1);
});
