import type { Wait } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import type { ResultRecord } from '../solve/index.ts';
import { blobsOf, type RefLayer, type Worker } from '../worker/index.ts';

/** One thing of the store that can be given up by itself, in BuildKit's kinds. Times are milliseconds since the epoch. */
export interface StoreRecord {
  readonly id: string;
  readonly kind: 'regular' | 'source.local' | 'source.git.checkout' | 'exec.cachemount' | 'internal';
  /** What it is to `prune`. */
  readonly of: 'result' | 'cache' | 'repository' | 'download' | 'image' | 'rest';
  /** Each blob counts once, for the first that needs it: together all records come to what the store holds. */
  readonly bytes: number;
  readonly description: string;
  /** Ids of records that it was made of. */
  readonly parents: readonly string[];
  readonly createdAt?: number | undefined;
  readonly usedAt?: number | undefined;
  readonly inUse: boolean;
  readonly mutable: boolean;
  /** An image needs it as well. */
  readonly shared: boolean;
}

const KINDS: Readonly<Record<string, StoreRecord['kind']>> = { local: 'source.local', git: 'source.git.checkout' };
const PLAIN = { parents: [], inUse: false, mutable: false, shared: false } as const;

/** All that the store holds, single results first. */
export async function storeRecords(worker: Worker, w: Wait = {}): Promise<readonly StoreRecord[]> {
  const { store, keys, images, mirrors, downloads, caches, stage } = worker;
  const sizes = new Map<Digest, number>();
  for await (const { digest, size } of store.list(w)) sizes.set(digest, size);
  const take = (digests: Iterable<Digest>): number => {
    let bytes = 0;
    for (const digest of digests) {
      bytes += sizes.get(digest) ?? 0;
      sizes.delete(digest);
    }
    return bytes;
  };
  const parents = keys.parents();
  const results = keys
    .list()
    .map((result) => ({ result, layers: result.outputs.flatMap(layersOfOutput) }))
    .sort((a, b) => a.layers.length - b.layers.length || a.result.createdAt - b.result.createdAt);
  const records: StoreRecord[] = [];
  for (const { result, layers } of results) {
    const blobs = blobsOf(layers);
    records.push({
      ...PLAIN,
      id: result.id,
      kind: KINDS[result.kind ?? ''] ?? 'regular',
      of: 'result',
      bytes: take(blobs),
      description: result.name ?? 'result of a step',
      parents: parents.get(result.id) ?? [],
      createdAt: result.createdAt,
      usedAt: result.usedAt,
      shared: blobs.some((digest) => images.isReferenced(digest)),
    });
  }
  for (const { digest, size, usedAt } of downloads.list()) {
    const bytes = sizes.has(digest) ? take([digest]) : 0;
    const description = `download of ${size} bytes`;
    records.push({ ...PLAIN, id: digest, kind: 'regular', of: 'download', bytes, description, usedAt });
  }
  for (const { name, bytes, usedAt } of await mirrors.list(w))
    records.push({
      ...PLAIN,
      id: name,
      kind: 'source.git.checkout',
      of: 'repository',
      bytes,
      description: 'mirror of a git repository',
      usedAt,
    });
  for (const { name, id, bytes, usedAt, inUse } of await caches.list(w))
    records.push({
      ...PLAIN,
      id: name,
      kind: 'exec.cachemount',
      of: 'cache',
      bytes,
      description: `cached mount ${id}`,
      usedAt,
      inUse,
      mutable: true,
    });
  const needed = [...sizes.keys()].filter((digest) => images.isReferenced(digest));
  if (needed.length > 0)
    records.push({
      ...PLAIN,
      id: 'images',
      kind: 'internal',
      of: 'image',
      bytes: take(needed),
      description: `${images.list().length} images of the store`,
      inUse: true,
      shared: true,
    });
  const { snapshots, bytes } = await stage.usage(w);
  const left = take([...sizes.keys()]);
  if (snapshots > 0 || left > 0)
    records.push({
      ...PLAIN,
      id: 'working-files',
      kind: 'internal',
      of: 'rest',
      bytes: bytes + left,
      description: `${snapshots} unpacked trees, and what nothing needs`,
    });
  return records;
}

function layersOfOutput(output: ResultRecord): readonly RefLayer[] {
  return (output as { layers?: readonly RefLayer[] }).layers ?? [];
}
