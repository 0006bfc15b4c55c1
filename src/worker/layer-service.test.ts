import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CodedError, Database, sleep, systemClock, systemRandom } from '../base/index.ts';
import { DiskBlobStore, Leases, type Descriptor } from '../blob/index.ts';
import { ImageStore } from '../image/index.ts';
import { compressLayer, GZIP, writeLayer, type Entry, type FileTree } from '../tree/index.ts';
import { LayerService, type FetchLayer, type LayerAccess } from './layer-service.ts';
import { chainId, chainIds, type RefLayer } from './ref.ts';

/** Layers of one file each that lie in `remote` compressed, and a service over an empty store. */
class World implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'strake-layers-'));
  readonly #parts = { clock: systemClock, random: systemRandom };
  readonly remote = new DiskBlobStore(join(this.folder, 'remote'), this.#parts);
  readonly store = new DiskBlobStore(join(this.folder, 'store'), this.#parts);
  readonly #db = Database.open(':memory:');
  readonly service: LayerService;
  fetched = 0;

  constructor() {
    const leases = new Leases(this.#db, this.#parts);
    const images = new ImageStore({ db: this.#db, blobs: this.store, leases, clock: systemClock });
    this.service = new LayerService({ store: this.store, images, clock: systemClock, database: this.#db });
  }

  async layer(content: string): Promise<RefLayer> {
    const { diffId } = await writeLayer(treeOf({ [content]: content }), { store: this.remote, dialect: 'oci' });
    return { diffId, compressed: await compressLayer(this.remote, diffId, GZIP), source: 'host/name' };
  }

  readonly fetch: FetchLayer = async (descriptor, _source, o) => {
    this.fetched += 1;
    await sleep(2, o);
    await this.store.put(await this.remote.open(descriptor), {
      mediaType: descriptor.mediaType,
      expect: descriptor,
      ...o,
    });
    o.onBytes(descriptor.size);
  };

  access(o: Partial<LayerAccess> = {}): LayerAccess {
    return { fetch: this.fetch, ...o };
  }

  [Symbol.dispose](): void {
    this.#db[Symbol.dispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function treeOf(files: Readonly<Record<string, string>>): FileTree {
  const entries = Object.entries(files).map(([path, { length: size }]): Entry => ({
    path,
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size,
    mtime: 0,
    mtimeNs: 0,
  }));
  return {
    entries: async () => entries,
    read: async function* (wanted) {
      for (const { path } of wanted) yield Buffer.from(files[path] ?? '');
    },
    digests: () => assert.fail('nobody asks for digests'),
  };
}

const denied = new CodedError({ code: 'DENIED', kind: 'denied', message: 'no' });

test('a layer that several want is fetched once, and told of once', async () => {
  using world = new World();
  const layer = await world.layer('a');
  const told: number[] = [];
  const access = world.access({ onProgress: (_, bytes) => told.push(bytes) });
  await Promise.all([1, 2, 3].map(() => world.service.tarOf(layer, access)));
  const view = await world.service.viewOf({ kind: 'layers', layers: [layer] }, access);
  assert.equal(Buffer.from(await view.readFile('/a')).toString(), 'a');
  assert.deepEqual([world.fetched, told], [1, [layer.compressed?.size]]);
});

test('whoever asked first giving up, or not being allowed, does not fail who asked second', async () => {
  using world = new World();
  const layers = [await world.layer('a'), await world.layer('b')];
  const ref = { kind: 'layers', layers } as const;
  const first = new AbortController();
  const gone = assert.rejects(world.service.viewOf(ref, world.access({ signal: first.signal })), { kind: 'cancelled' });
  const second = world.service.viewOf(ref, world.access());
  first.abort();
  await gone;
  assert.equal((await second).list('/').length, 2);

  using other = new World();
  const layer = await other.layer('a');
  const refused = assert.rejects(
    other.service.tarOf(layer, { fetch: async () => sleep(2).then(() => Promise.reject(denied)) }),
    { kind: 'denied' },
  );
  await other.service.tarOf(layer, other.access());
  await refused;
});

test('when one of several layers cannot be had the others are given up before that is said', async () => {
  using world = new World();
  const layers = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => world.layer(name)));
  let running = 0;
  const fetch: FetchLayer = async (descriptor, source, o) => {
    running += 1;
    try {
      if (descriptor.digest === layers[1]?.compressed?.digest) throw denied;
      await sleep(5, o);
      await world.fetch(descriptor, source, o);
    } finally {
      running -= 1;
    }
  };
  await assert.rejects(world.service.ensure(layers, { fetch }), { kind: 'denied' });
  assert.equal(running, 0);
  assert.equal(world.store.sizeOf(layers[5]?.diffId ?? 'sha256:0'), undefined);
});

test('a layer that is nowhere any more is named, with what helps', async () => {
  using world = new World();
  const { diffId, compressed } = await world.layer('a');
  await assert.rejects(world.service.tarOf({ diffId }, world.access()), { code: 'LAYER_GONE', remedy: /Build again/ });
  const known = compressed as Descriptor;
  await assert.rejects(world.service.tarOf({ diffId, compressed: known }, world.access()), { code: 'LAYER_GONE' });
  assert.deepEqual(
    [{ diffId }, { diffId, compressed: known }, { diffId, compressed: known, source: 'x/y' }].map((layer) =>
      world.service.isReachable(layer),
    ),
    [false, false, true],
  );
});

test('a view is put together again after its layers were swept away', async () => {
  using world = new World();
  const ref = { kind: 'layers', layers: [await world.layer('a')] } as const;
  await world.service.viewOf(ref, world.access());
  for await (const { digest } of world.store.list()) await world.store.delete(digest);
  const view = await world.service.viewOf(ref, world.access());
  assert.equal(Buffer.from(await view.readFile('/a')).toString(), 'a');
  assert.equal(world.fetched, 2);
});

test('files of the asking side become one layer, once', async () => {
  using world = new World();
  const files = { kind: 'files', tree: treeOf({ x: 'x' }) } as const;
  const [one, two] = await Promise.all([world.service.stacked(files), world.service.stacked(files)]);
  assert.equal(one, two);
  assert.equal(one.layers.length, 1);
  assert.deepEqual(await world.service.stacked(undefined), { kind: 'layers', layers: [] });
});

test('chain IDs are those of the image specification', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((x) => ({ diffId: `sha256:${x.repeat(64)}` as const }));
  assert.ok(a && b && c);
  const all = chainIds([a, b, c]);
  assert.equal(all[0], a.diffId);
  assert.deepEqual([chainId([]), chainId([a]), chainId([a, b]), chainId([a, b, c])], [undefined, ...all]);
});
