import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { sys } from '../../src/base/index.ts';
import { folderRig } from '../../src/snapshot/folder-rig.suite.ts';
import { CopySnapshotter } from '../../src/snapshot/index.ts';
import { snapshotterSuite } from '../../src/snapshot/snapshotter.suite.ts';
import { needsRoot } from './needs-root.ts';

/** Needs root. */
let folder: string;
before(() => {
  if (needsRoot !== false) return;
  sys.unshareMounts();
  folder = mkdtempSync(join(tmpdir(), 'strake-copy-'));
});
after(() => folder === undefined || rmSync(folder, { recursive: true, force: true }));

snapshotterSuite(
  'copy',
  async () => folderRig(folder, (o) => new CopySnapshotter({ ...o, ids: 'all' }), { owners: true, devices: true }),
  needsRoot,
);
