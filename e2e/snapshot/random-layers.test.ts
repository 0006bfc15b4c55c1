import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import { sys, systemRandom } from '../../src/base/index.ts';
import { folderRig, tickingClock } from '../../src/snapshot/folder-rig.suite.ts';
import { CopySnapshotter, MemorySnapshotter, OverlaySnapshotter, probeOverlay } from '../../src/snapshot/index.ts';
import { writeLayer, type Member } from '../../src/snapshot/layer-tar.suite.ts';
import { membersOf } from '../../src/snapshot/snapshotter.suite.ts';
import type { Look } from '../../src/snapshot/tree-edits.suite.ts';
import { needsRoot } from './needs-root.ts';

/** Needs root. Random layers, many of them nonsense, give the same tree on every snapshotter, and nothing appears outside. */
let folder: string;
let mountOptions: readonly string[];
before(() => {
  if (needsRoot !== false) return;
  sys.unshareMounts();
  folder = mkdtempSync(join(tmpdir(), 'strake-random-'));
  const probed = probeOverlay(folder, systemRandom);
  assert.ok('options' in probed, JSON.stringify(probed));
  mountOptions = probed.options;
});
after(() => folder === undefined || rmSync(folder, { recursive: true, force: true }));

const name = fc.constantFrom('a', 'b', 'c', 'd-e');
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const linkTarget = fc.oneof(
  path,
  path.map((at) => `/${at}`),
  path.map((at) => `../${at}`),
  fc.constantFrom('..', '/', '../../..', '.'),
);
const member: fc.Arbitrary<Member> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ name: path, text: fc.constantFrom('', 'one', 'two'), mode: mode() }) },
  {
    weight: 4,
    arbitrary: fc.record({ name: path.map((at) => `${at}/`), type: fc.constant('directory' as const), mode: mode() }),
  },
  { weight: 2, arbitrary: fc.record({ name: path, type: fc.constant('symlink' as const), link: linkTarget }) },
  { weight: 1, arbitrary: fc.record({ name: path, type: fc.constant('hardlink' as const), link: path }) },
  { weight: 2, arbitrary: path.map((at) => ({ name: at.replace(/[^/]*$/, '.wh.$&') })) },
  { weight: 1, arbitrary: path.map((at) => ({ name: `${at}/.wh..wh..opq` })) },
);

function mode(): fc.Arbitrary<number> {
  return fc.constantFrom(0o755, 0o4711, 0o2750);
}

const seed = Number(process.env['STRAKE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

test(
  `random layers are the same trees on overlay, copy and in memory (seed ${seed})`,
  { skip: needsRoot },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(member, { maxLength: 8 }), { minLength: 1, maxLength: 5 }), async (layers) => {
        const can = { owners: true, devices: true };
        await using overlay = folderRig(
          folder,
          (o) => new OverlaySnapshotter({ ...o, mountOptions, ids: 'all', maxLayers: 3 }),
          can,
        );
        await using copy = folderRig(folder, (o) => new CopySnapshotter({ ...o, ids: 'all' }), can);
        const memory = new MemorySnapshotter({ clock: tickingClock() });
        let parent: string | undefined;
        for (const [i, members] of layers.entries()) {
          const id = `${i}`;
          const layer = writeLayer(join(overlay.folder, `${i}.tar`), members);
          const from = parent;
          const apply = async (s: typeof memory | typeof overlay.snapshotter): Promise<string> =>
            s.apply(from, layer, id).then(
              () => 'applied',
              (error: unknown) => (error as { code: string }).code,
            );
          const results = [await apply(memory), await apply(overlay.snapshotter), await apply(copy.snapshotter)];
          assert.deepEqual(results, [results[0], results[0], results[0]]);
          if (results[0] !== 'applied') continue;
          parent = id;
          await using view = await memory.view(id);
          const wanted = lookAt(memory, view.mounts);
          await using overlayView = await overlay.snapshotter.view(id);
          assert.deepEqual(await overlay.look(overlayView.mounts), wanted, `overlay, layer ${i}`);
          await using copyView = await copy.snapshotter.view(id);
          assert.deepEqual(await copy.look(copyView.mounts), wanted, `copy, layer ${i}`);
          await sameAgain(overlay, from, id, wanted);
        }
      }),
      { seed, numRuns: 30 },
    );
  },
);

/** The changes of a snapshot, applied to its parent, make it again. */
async function sameAgain(
  rig: ReturnType<typeof folderRig>,
  parent: string | undefined,
  id: string,
  wanted: Look,
): Promise<void> {
  const members = await membersOf(await rig.snapshotter.changes(id));
  await rig.snapshotter.apply(parent, writeLayer(join(rig.folder, `${id}-again.tar`), members), `${id}-again`);
  await using view = await rig.snapshotter.view(`${id}-again`);
  assert.deepEqual(await rig.look(view.mounts), wanted, `changes of ${id}`);
}

function lookAt(memory: MemorySnapshotter, mounts: Parameters<MemorySnapshotter['treeOf']>[0]): Look {
  const look: Record<string, string> = {};
  for (const [at, file] of memory.treeOf(mounts).files) {
    const owner = `${file.mode.toString(8).padStart(4, '0')} ${file.uid}:${file.gid}`;
    const key = at === '' ? '.' : at;
    if (file.type === 'symlink') look[key] = `link -> ${file.link}`;
    else if (file.type === 'file') look[key] = `file ${owner} ${Buffer.from(file.content).toString()}`;
    else look[key] = `folder ${owner}`;
  }
  return look;
}
