import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemRandom } from '../../base/index.ts';
import { DiskManifestStore } from './disk-manifest-store.ts';
import { MemoryManifestStore } from './manifest-store.ts';
import { manifestStoreSuite } from './manifest-store.suite.ts';

manifestStoreSuite('manifests in memory', () => ({
  store: new MemoryManifestStore(),
  [Symbol.dispose]: () => undefined,
}));
manifestStoreSuite('manifests on disk', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-manifests-'));
  return {
    store: new DiskManifestStore(folder, { random: systemRandom }),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
});
