import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, collect, hasCode, type Bytes } from '../base/index.ts';
import type { BlobStore } from './blob-store.ts';
import type { Descriptor } from './descriptor.ts';
import { digestOf } from './digest.ts';

const mediaType = 'application/octet-stream';
const describe = (content: Uint8Array): Descriptor => ({ mediaType, digest: digestOf(content), size: content.length });

async function* pieces(content: Uint8Array, size: number): Bytes {
  for (let at = 0; at < content.length; at += size) yield content.slice(at, at + size);
}

/** What every blob store does. `make` gives an empty one; `leftovers` lists what it keeps beside its blobs, as temporary files. `sha512`: why a store has only sha256. */
export function blobStoreSuite(
  name: string,
  make: () => { readonly store: BlobStore; leftovers(): readonly string[] } & Disposable,
  o: { readonly sha512?: string } = {},
): void {
  test(`${name}: what is put comes back, and is there once`, async () => {
    using made = make();
    const { store } = made;
    for (const size of [0, 1, 1000, 3_000_000]) {
      const content = Buffer.alloc(size, `${size} `);
      const descriptor = describe(content);
      assert.equal(await store.has(descriptor), false);
      assert.deepEqual(await store.put(pieces(content, 70_000), { mediaType }), descriptor);
      assert.deepEqual(await store.put(bytesOf(content), { mediaType, expect: descriptor }), descriptor);
      assert.equal(await store.has(descriptor), true);
      assert.ok(content.equals(await collect(await store.open(descriptor))));
    }
    const listed = await Array.fromAsync(store.list());
    assert.deepEqual(
      listed.map((blob) => blob.size).sort((a, b) => a - b),
      [0, 1, 1000, 3_000_000],
    );
    assert.deepEqual(made.leftovers(), []);
  });

  test(`${name}: parts of a blob are read`, async () => {
    using made = make();
    const content = Buffer.from('0123456789');
    const descriptor = await made.store.put(bytesOf(content), { mediaType });
    const part = async (offset?: number, length?: number): Promise<string> =>
      Buffer.from(
        await collect(
          await made.store.open(descriptor, {
            ...(offset === undefined ? {} : { offset }),
            ...(length === undefined ? {} : { length }),
          }),
        ),
      ).toString();
    assert.equal(await part(3, 4), '3456');
    assert.equal(await part(0, 2), '01');
    assert.equal(await part(7), '789');
    assert.equal(await part(7, 100), '789');
    assert.equal(await part(10), '');
    assert.equal(await part(undefined, 0), '');
  });

  test(`${name}: other content than expected stores nothing`, async () => {
    using made = make();
    const { store } = made;
    const expect = describe(Buffer.from('expected'));
    for (const wrong of ['unexpect', 'short', 'far too long'])
      await assert.rejects(
        store.put(bytesOf(Buffer.from(wrong)), { mediaType, expect }),
        (error) => hasCode(error, 'BLOB_MISMATCH'),
        wrong,
      );
    assert.deepEqual(await Array.fromAsync(store.list()), []);
    await assert.rejects(
      async () => collect(await store.open(expect)),
      (error) => hasCode(error, 'BLOB_NOT_FOUND'),
    );
    assert.deepEqual(made.leftovers(), []);
  });

  test(`${name}: sha512 is a digest too`, { skip: o.sha512 ?? false }, async () => {
    using made = make();
    const content = Buffer.from('a');
    const digest =
      'sha512:1f40fc92da241694750979ee6cf582f2d5d7d28e18335de05abc54d0560e0f5302860c652bf08d560252aa5e74210546f369fbbbce8c12cfc7957b2652fe9a75';
    await made.store.put(bytesOf(content), { mediaType, expect: { mediaType, digest, size: 1 } });
    assert.equal(Buffer.from(await collect(await made.store.open({ mediaType, digest, size: 1 }))).toString(), 'a');
  });

  test(`${name}: the same content put at once from several sides is stored once`, async () => {
    using made = make();
    const content = Buffer.alloc(500_000, 'x');
    const stored = await Promise.all(
      Array.from({ length: 8 }, (_, at) => made.store.put(pieces(content, 1000 * (at + 1)), { mediaType })),
    );
    assert.equal(new Set(stored.map((descriptor) => descriptor.digest)).size, 1);
    assert.equal((await Array.fromAsync(made.store.list())).length, 1);
    assert.deepEqual(made.leftovers(), []);
  });

  test(`${name}: a put that fails or is cancelled leaves nothing`, async () => {
    using made = make();
    const { store } = made;
    const broken = async function* (): Bytes {
      yield Buffer.from('half');
      throw new TypeError('source broke');
    };
    await assert.rejects(store.put(broken(), { mediaType }), /source broke/);
    const stop = new AbortController();
    const cancelling = async function* (): Bytes {
      yield Buffer.from('half');
      stop.abort();
      yield Buffer.from('rest');
    };
    await assert.rejects(store.put(cancelling(), { mediaType, signal: stop.signal }), (error) =>
      hasCode(error, 'CANCELLED'),
    );
    assert.deepEqual(await Array.fromAsync(store.list()), []);
    assert.deepEqual(made.leftovers(), []);
  });

  test(`${name}: a blob that is deleted is gone before the promise settles`, async () => {
    using made = make();
    const descriptor = await made.store.put(bytesOf(Buffer.from('a')), { mediaType });
    const deleted = made.store.delete(descriptor.digest);
    const isThere = made.store.has(descriptor);
    assert.deepEqual([await deleted, await isThere, await made.store.delete(descriptor.digest)], [true, false, false]);
  });
}
