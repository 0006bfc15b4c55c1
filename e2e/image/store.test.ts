import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { bytesOf, Database, runTool, systemClock, systemRandom } from '../../src/base/index.ts';
import { DiskBlobStore, Leases } from '../../src/blob/index.ts';
import {
  descriptorOf,
  ImageStore,
  openLayout,
  selectImage,
  validateImage,
  writeLayout,
  type Image,
} from '../../src/image/index.ts';
import { CONFIG, tarOf } from '../../src/image/samples.suite.ts';
import { closeCodecs, GZIP, NONE, ZSTD } from '../../src/tree/index.ts';

/** Needs skopeo. */
let folder: string;
before(() => {
  folder = join(tmpdir(), `strake-store-${systemRandom.hex(6)}`);
  mkdirSync(folder);
});
after(async () => {
  await closeCodecs();
  rmSync(folder, { recursive: true });
});

function openStore(name: string): { readonly store: ImageStore; readonly blobs: DiskBlobStore } & Disposable {
  const db = Database.open(join(folder, name, 'store.db'));
  const o = { clock: systemClock, random: systemRandom };
  const blobs = new DiskBlobStore(join(folder, name, 'blobs'), o);
  return {
    store: new ImageStore({ db, blobs, leases: new Leases(db, o), clock: systemClock }),
    blobs,
    [Symbol.dispose]: () => db[Symbol.dispose](),
  };
}

test('an image built in two stores has one digest for each codec, and skopeo takes it', async () => {
  const tars = [tarOf({ big: 'strake '.repeat(500_000) }), tarOf({ small: 'x' })];
  for (const codec of [GZIP, ZSTD, NONE]) {
    const digests: string[] = [];
    for (const name of ['one', 'two']) {
      using opened = openStore(name);
      const { store, blobs } = opened;
      const layers = await Promise.all(
        tars.map(async (tar) => ({
          diffId: (await blobs.put(bytesOf(tar), { mediaType: 'application/x-tar' })).digest,
        })),
      );
      await store.add({ config: CONFIG, layers, names: ['app'] });
      const image = store.open(store.resolve('app'), { codec });
      assert.deepEqual(await validateImage(image, { layers: true }), []);
      const { digest } = await descriptorOf(image);
      digests.push(digest);
      const layout = join(folder, `layout-${codec.name}-${name}`);
      await writeLayout(layout, [{ image, refs: ['app'] }], { random: systemRandom });
      await runTool('skopeo', [
        '--insecure-policy',
        'copy',
        '--preserve-digests',
        `oci:${layout}:app`,
        `oci:${layout}-copy:app`,
      ]);
      const again = await selectImage(openLayout(`${layout}-copy`), { what: layout }).open();
      assert.equal((await descriptorOf(again)).digest, digest);
      const imported = await store.import(['copy'], again as Image);
      assert.equal(imported.manifest?.digest, digest);
      assert.deepEqual(await validateImage(store.open(imported, { codec }), { layers: true }), []);
    }
    assert.equal(digests[0], digests[1]);
  }
});
