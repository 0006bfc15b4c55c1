import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CodedError } from '../../base/index.ts';
import { digestOf } from '../../blob/index.ts';
import {
  CACHE_MOUNT_TYPE,
  decodeCacheConfig,
  decodeInlineCache,
  encodeCacheConfig,
  encodeInlineCache,
  type InlineLayer,
  type ReadCache,
} from './document.ts';
import type { CachedLayer, CacheRecord } from './types.ts';

const digest = fc.nat(40).map((n) => digestOf(`${n}`));
const createdAt = fc.option(fc.integer({ min: 0, max: 4e12 }), { nil: undefined });
const records = <L>(layer: fc.Arbitrary<L>): fc.Arbitrary<CacheRecord<L>[]> =>
  fc.uniqueArray(
    fc.record({
      id: digest,
      keys: fc.uniqueArray(fc.record({ digest, inputs: fc.uniqueArray(digest, { maxLength: 4 }) }), {
        selector: (key) => key.digest,
        maxLength: 4,
      }),
      outputs: fc.option(fc.array(fc.array(layer, { maxLength: 6 }), { maxLength: 3 }), { nil: undefined }),
    }),
    { selector: ({ id }) => id, maxLength: 12, minLength: 1 },
  );

/** What was read, as it was before it was written. */
function whole<L, M>(cache: ReadCache<L>, layer: (one: L) => M): CacheRecord<M>[] {
  return cache.records.map(({ id, keys, outputs }) => ({
    id,
    keys,
    outputs: outputs?.map((top) => cache.layersAt(top).map(layer)),
  }));
}

function sorted<L>(all: readonly CacheRecord<L>[]): CacheRecord<L>[] {
  const order = (a: string, b: string): number => (a < b ? -1 : 1);
  return all.map(({ id, keys, outputs }) => ({
    id,
    keys: keys
      .map((key) => ({ digest: key.digest, inputs: key.inputs.toSorted() }))
      .toSorted((a, b) => order(a.digest, b.digest)),
    outputs,
  }));
}

const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const layer: fc.Arbitrary<CachedLayer> = fc.record({ n: fc.nat(9), createdAt }).map(({ n, createdAt: at }) => ({
  diffId: digestOf(`diff ${n}`),
  compressed: {
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest: digestOf(`blob ${n}`),
    size: 100 + n,
  },
  createdAt: at,
}));

test('records survive the way through a cache of their own', () => {
  fc.assert(
    fc.property(records(layer), (all) => {
      const blobs = all.flatMap(({ outputs = [] }) => outputs.flat().map(({ compressed }) => compressed));
      const cache = decodeCacheConfig(encodeCacheConfig(all), blobs);
      assert.deepEqual(json(whole(cache, (one) => one)), json(sorted(all)));
      assert.deepEqual(encodeCacheConfig(whole(cache, (one) => one)), encodeCacheConfig(all));
    }),
  );
});

test('what cache mounts held is told apart from layers of images', () => {
  const mediaType = `${CACHE_MOUNT_TYPE}+zstd`;
  const held: CachedLayer = { diffId: digestOf('d'), compressed: { mediaType, digest: digestOf('b'), size: 7 } };
  const content = encodeCacheConfig([], [{ key: digestOf('k'), layer: held }]);
  const cache = decodeCacheConfig(content, [held.compressed]);
  assert.deepEqual(cache.records, []);
  const [mount, ...more] = cache.mounts;
  assert.deepEqual([mount?.key, more], [digestOf('k'), []]);
  assert.deepEqual(json(cache.layersAt(mount?.layer ?? -1)), json([held]));
});

test('records survive the way through the config of an image', () => {
  const image = Array.from({ length: 6 }, (_, n) => ({
    diffId: digestOf(`diff ${n}`),
    compressed: { mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd', digest: digestOf(`blob ${n}`), size: n },
  }));
  const inline: fc.Arbitrary<InlineLayer> = fc.record({ at: fc.nat(5), createdAt });
  fc.assert(
    fc.property(records(inline), (all) => {
      const cache = decodeInlineCache(encodeInlineCache(all), image);
      const back = whole(cache, (one) => ({
        at: image.findIndex(({ diffId }) => diffId === one.diffId),
        createdAt: one.createdAt,
      }));
      assert.deepEqual(json(back), json(sorted(all)));
    }),
  );
});

test('500 records on top of each other are small and quick to read, and a stack is put together only when it is asked for', () => {
  const stack: CachedLayer[] = [];
  const all = Array.from({ length: 500 }, (_, n): CacheRecord<CachedLayer> => {
    const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
    stack.push({
      diffId: digestOf(`d${n}`),
      compressed: { mediaType, digest: digestOf(`b${n}`), size: n },
      createdAt: n,
    });
    const keys = [{ digest: digestOf(`k${n}`), inputs: [digestOf(`id${n - 1}`)] }];
    return { id: digestOf(`id${n}`), keys, outputs: [[...stack]] };
  });
  const content = encodeCacheConfig(all);
  assert.ok(content.length < 400_000, `${content.length} bytes`);
  const cache = decodeCacheConfig(
    content,
    stack.map(({ compressed }) => compressed),
  );
  assert.equal(cache.layersAt(cache.records.at(-1)?.outputs?.[0] ?? -1).length, 500);
});

test('BuildKit finds layers in the form it knows, and no record', () => {
  const one = fc.sample(layer, { numRuns: 1, seed: 1 })[0] as CachedLayer;
  const content = encodeCacheConfig([{ id: digestOf('x'), keys: [], outputs: [[one]] }]);
  const config = JSON.parse(Buffer.from(content).toString()) as Record<string, unknown>;
  assert.equal(config['records'], undefined);
  assert.deepEqual(config['layers'], [
    {
      blob: one.compressed.digest,
      parent: -1,
      annotations: {
        mediaType: one.compressed.mediaType,
        diffID: one.diffId,
        size: one.compressed.size,
        ...(one.createdAt === undefined ? {} : { createdAt: new Date(one.createdAt).toISOString() }),
      },
    },
  ]);
});

test('whatever is not such a document is refused by a reason, never by anything else', () => {
  const blob = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digestOf('b'), size: 1 };
  const refused = (content: unknown, code: string): void => {
    const bytes = Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
    assert.throws(
      () => decodeCacheConfig(bytes, [blob]),
      (error) => error instanceof CodedError && error.code === code,
      bytes.toString(),
    );
  };
  const id = digestOf('id');
  const row = (o: object): object => ({
    layers: [{ blob: blob.digest, parent: -1, annotations: { mediaType: blob.mediaType, diffID: id, size: 1 }, ...o }],
    strake: { version: 1, records: [] },
  });
  for (const content of ['', '{', '[]', 'null', '\xff']) refused(content, 'CACHE_INVALID');
  refused({ layers: [], records: [{ digest: id }] }, 'CACHE_FOREIGN');
  refused({ strake: { version: 2 } }, 'CACHE_FOREIGN');
  refused({ strake: { version: 1, records: [{ id: 'x' }] } }, 'CACHE_INVALID');
  refused({ strake: { version: 1, records: [{ id, keys: [{ digest: '../x' }] }] } }, 'CACHE_INVALID');
  refused({ strake: { version: 1, records: [{ id, keys: [], outputs: [1.5] }] } }, 'CACHE_INVALID');
  refused(row({ blob: digestOf('other') }), 'CACHE_INVALID');
  refused(row({ annotations: { mediaType: blob.mediaType, diffID: id, size: 2 } }), 'CACHE_INVALID');
  refused(row({ annotations: { mediaType: 'text/html', diffID: id, size: 1 } }), 'CACHE_INVALID');
  refused(row({ parent: 'x' }), 'CACHE_INVALID');
  // A layer on top of itself, and one that is not there, are noticed when the stack is asked for.
  for (const [parent, top] of [
    [0, 0],
    [-1, 7],
  ] as const)
    assert.throws(() => decodeCacheConfig(Buffer.from(JSON.stringify(row({ parent }))), [blob]).layersAt(top), {
      code: 'CACHE_INVALID',
    });
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      try {
        decodeCacheConfig(Buffer.from(JSON.stringify({ strake: value, layers: value })), [blob]);
      } catch (error) {
        assert.ok(error instanceof CodedError, String(error));
      }
    }),
  );
});
