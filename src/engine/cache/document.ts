import { isDigest, type Descriptor, type Digest } from '../../blob/index.ts';
import { isLayerType } from '../../image/index.ts';
import { engineError } from '../errors.ts';
import { LayerTable, stackAt, type TableRow } from './layer-table.ts';
import type { CachedLayer, CachedMount, CacheRecord } from './types.ts';

/** The type of a cache's config (BuildKit, cache/remotecache/v1). Ours is BuildKit's with a member more, `strake`, that holds the keys; BuildKit reads of it that there are layers and no records. */
export const CACHE_CONFIG_TYPE = 'application/vnd.buildkit.cacheconfig.v0';
/** No larger config is read: about 200,000 records. */
export const CACHE_CONFIG_LIMIT = 64 << 20;

/** The type of what a cache mount held: a tar as a layer's, in no image. Followed by `+gzip` or `+zstd`. */
export const CACHE_MOUNT_TYPE = 'application/vnd.strake.cache-mount.v1.tar';

const VERSION = 1;
const MOST_RECORDS = 200_000;
const MOST_INPUTS = 10_000;

/** Records as they were read: stacks are put together when somebody asks. */
export interface ReadCache<L> {
  readonly records: readonly StoredRecord[];
  readonly mounts: readonly CachedMount<number>[];
  layersAt(top: number): readonly L[];
}

/** A record whose outputs are places in a table. */
export interface StoredRecord {
  readonly id: Digest;
  readonly keys: CacheRecord<never>['keys'];
  readonly outputs?: readonly number[] | undefined;
}

/** A cache's config as bytes: equal records give equal bytes. */
export function encodeCacheConfig(
  records: readonly CacheRecord<CachedLayer>[],
  mounts: readonly CachedMount<CachedLayer>[] = [],
): Uint8Array {
  const table = new LayerTable<CachedLayer>(
    ({ diffId, compressed, createdAt }) => `${diffId} ${compressed.digest} ${createdAt}`,
  );
  const strake = {
    version: VERSION,
    records: records.map((record) => placed(record, table)),
    mounts: mounts.length > 0 ? mounts.map(({ key, layer }) => ({ key, layer: table.add([layer]) })) : undefined,
  };
  const layers = table.rows.map(({ layer, parent }) => ({
    blob: layer.compressed.digest,
    parent,
    annotations: {
      mediaType: layer.compressed.mediaType,
      diffID: layer.diffId,
      size: layer.compressed.size,
      createdAt: timeText(layer.createdAt),
    },
  }));
  return Buffer.from(JSON.stringify({ layers, strake }));
}

/** Reads a cache's config. `blobs` are what its manifest names, where there is one: a layer that is not among them is none. Throws `CACHE_FOREIGN`, `CACHE_INVALID`. */
export function decodeCacheConfig(content: Uint8Array, blobs?: readonly Descriptor[]): ReadCache<CachedLayer> {
  const value = object(parse(content), 'the config');
  const records = recordsOf(value['strake']);
  const mounts = mountsOf(value['strake']);
  const known = blobs && new Map(blobs.map((blob) => [blob.digest, blob]));
  const rows = list(value['layers'], 'layers').map((one): TableRow<CachedLayer> => {
    const row = object(one, 'a layer');
    const said = object(row['annotations'], 'annotations of a layer');
    const digest = digestOf(row['blob'], 'blob');
    const size = known ? known.get(digest)?.size : said['size'];
    const mediaType = said['mediaType'];
    if (!isSize(size) || size !== said['size'] || typeof mediaType !== 'string' || !isTarType(mediaType))
      throw bad(`layer ${digest} is not as the manifest has it`);
    return {
      layer: {
        diffId: digestOf(said['diffID'], 'diffID'),
        compressed: { mediaType, digest, size },
        createdAt: timeOf(said['createdAt']),
      },
      parent: place(row['parent'], 'parent'),
    };
  });
  return { records, mounts, layersAt: (top) => stackAt(rows, top) };
}

/** A layer of the image that a cache lies in: its place there. */
export interface InlineLayer {
  readonly at: number;
  readonly createdAt?: number | undefined;
}

/** What lies under `moby.buildkit.cache.v0` of an image's config: BuildKit's list of records, of which ours is one that nothing leads to for BuildKit. */
export function encodeInlineCache(records: readonly CacheRecord<InlineLayer>[]): string {
  const table = new LayerTable<InlineLayer>(({ at, createdAt }) => `${at} ${createdAt}`);
  const placedRecords = records.map((record) => placed(record, table));
  const layers = table.rows.map(({ layer, parent }) => ({
    layer: layer.at,
    parent,
    createdAt: timeText(layer.createdAt),
  }));
  const strake = { version: VERSION, layers, records: placedRecords };
  return Buffer.from(JSON.stringify([{ digest: records[0]?.id, strake }])).toString('base64');
}

/** Reads the value of `moby.buildkit.cache.v0` of an image that has these layers. Throws `CACHE_FOREIGN`, `CACHE_INVALID`. */
export function decodeInlineCache(
  text: unknown,
  image: readonly { readonly diffId: Digest; readonly compressed: Descriptor }[],
): ReadCache<CachedLayer> {
  if (typeof text !== 'string') throw bad('it is no text');
  const own = list(parse(Buffer.from(text, 'base64')), 'the records')
    .map((record) => object(record, 'a record')['strake'])
    .find((member) => member !== undefined);
  const records = recordsOf(own);
  const rows = list(object(own, 'strake')['layers'], 'layers').map((one): TableRow<CachedLayer> => {
    const row = object(one, 'a layer');
    const layer = image[place(row['layer'], 'layer')];
    if (!layer) throw bad('a layer is not in the image');
    const { mediaType, digest, size } = layer.compressed;
    if (!isLayerType(mediaType)) throw bad(`layer ${digest} is none`);
    return {
      layer: { diffId: layer.diffId, compressed: { mediaType, digest, size }, createdAt: timeOf(row['createdAt']) },
      parent: place(row['parent'], 'parent'),
    };
  });
  return { records, mounts: [], layersAt: (top) => stackAt(rows, top) };
}

function placed<L>({ id, keys, outputs }: CacheRecord<L>, table: LayerTable<L>): StoredRecord {
  const sorted = keys
    .map(({ digest, inputs }) => ({ digest, inputs: inputs.toSorted() }))
    .toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
  return { id, keys: sorted, outputs: outputs?.map((stack) => table.add(stack)) };
}

function recordsOf(value: unknown): readonly StoredRecord[] {
  if (value === undefined)
    throw engineError('CACHE_FOREIGN', 'read cache: it was written by another builder, such as BuildKit');
  const { version, records } = object(value, 'strake');
  if (version !== VERSION)
    throw engineError('CACHE_FOREIGN', `read cache: it is of version ${JSON.stringify(version)}, not ${VERSION}`);
  return list(records, 'records', MOST_RECORDS).map((one): StoredRecord => {
    const { id, keys, outputs } = object(one, 'a record');
    return {
      id: digestOf(id, 'id'),
      keys: list(keys, 'keys', MOST_INPUTS).map((each) => {
        const key = object(each, 'a key');
        return {
          digest: digestOf(key['digest'], 'key'),
          inputs: list(key['inputs'], 'inputs', MOST_INPUTS).map((input) => digestOf(input, 'input')),
        };
      }),
      outputs: outputs === undefined ? undefined : list(outputs, 'outputs', 256).map((top) => place(top, 'output')),
    };
  });
}

function mountsOf(strake: unknown): readonly CachedMount<number>[] {
  return list(object(strake, 'strake')['mounts'], 'mounts', MOST_INPUTS).map((one) => {
    const { key, layer } = object(one, 'a mount');
    return { key: digestOf(key, 'key'), layer: place(layer, 'layer') };
  });
}

function isTarType(mediaType: string): boolean {
  return isLayerType(mediaType) || mediaType.startsWith(CACHE_MOUNT_TYPE);
}

function bad(detail: string): Error {
  return engineError('CACHE_INVALID', `read cache: ${detail}`);
}

function parse(content: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content));
  } catch {
    throw bad('it is not JSON');
  }
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(`${what} is no object`);
  return value as Record<string, unknown>;
}

function list(value: unknown, what: string, most = MOST_RECORDS): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw bad(`${what} is no list`);
  if (value.length > most) throw bad(`${what} has ${value.length} members, more than ${most}`);
  return value;
}

function digestOf(value: unknown, what: string): Digest {
  if (typeof value !== 'string' || !isDigest(value)) throw bad(`${what} is no digest`);
  return value;
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** A place in a table, -1 for none. */
function place(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < -1) throw bad(`${what} is no place`);
  return value;
}

function timeText(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString();
}

function timeOf(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (!Number.isSafeInteger(at)) throw bad('a time is none');
  return at;
}
