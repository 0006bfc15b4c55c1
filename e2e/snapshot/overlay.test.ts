import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { sys, systemRandom } from '../../src/base/index.ts';
import { folderRig } from '../../src/snapshot/folder-rig.suite.ts';
import { OverlaySnapshotter, probeOverlay } from '../../src/snapshot/index.ts';
import { snapshotterSuite } from '../../src/snapshot/snapshotter.suite.ts';
import { needsRoot } from './needs-root.ts';

/** Needs root. */
let folder: string;
let mountOptions: readonly string[];
before(() => {
  if (needsRoot !== false) return;
  sys.unshareMounts();
  folder = mkdtempSync(join(tmpdir(), 'strake-overlay-'));
  const probed = probeOverlay(folder, systemRandom);
  assert.ok('options' in probed, JSON.stringify(probed));
  mountOptions = probed.options;
});
after(() => folder === undefined || rmSync(folder, { recursive: true, force: true }));

snapshotterSuite(
  'overlay',
  async () =>
    folderRig(folder, (o) => new OverlaySnapshotter({ ...o, mountOptions, ids: 'all' }), {
      owners: true,
      devices: true,
    }),
  needsRoot,
);
