import { statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, throwIfCancelled, type Clock, type Database, type Wait } from '../base/index.ts';
import { sweep, type Digest, type Leases } from '../blob/index.ts';
import { validateImage } from '../image/index.ts';
import type { BuildHistory, KeyStore, ResultRecord } from '../solve/index.ts';
import { NONE } from '../tree/index.ts';
import { blobsOf, type CacheInfo, type RefLayer, type Worker } from '../worker/index.ts';
import { storeRecords, type StoreRecord } from './store-records.ts';
import type { PruneOptions, PruneReport, StoreProblem, StoreService } from './engine.ts';

const HOUR = 3_600_000;
const MONTH = 30 * 24 * HOUR;

/** What is done to the store as a whole. */
export class StoreOperations implements StoreService {
  readonly folder: string;
  readonly #worker: Worker;
  readonly #history: BuildHistory;
  readonly #database: Database;
  readonly #leases: Leases;
  readonly #clock: Clock;

  constructor(o: {
    folder: string;
    worker: Worker;
    history: BuildHistory;
    database: Database;
    leases: Leases;
    clock: Clock;
  }) {
    this.folder = o.folder;
    this.#worker = o.worker;
    this.#history = o.history;
    this.#database = o.database;
    this.#leases = o.leases;
    this.#clock = o.clock;
  }

  /**
   * Forgets recorded results and cache mounts by age, then by size, the least recently used first; then images without a name where asked; then every blob and snapshot that nothing recorded needs.
   */
  async prune(o: PruneOptions): Promise<PruneReport> {
    const { keys, images } = this.#worker;
    this.#leases.expire();
    const fitting = o.fits && (await this.#fitting(o, o.fits));
    const { forgotten, caches, left } = fitting ?? (await this.#choose(o));
    let unreachable = 0;
    if (!o.dryRun) {
      for (const id of forgotten) keys.forget(id);
      unreachable = keys.forgetUnreachable();
      if (!fitting) this.#forgetBuilds(o);
    }
    const removed: Digest[] = [];
    if (!fitting && (o.danglingImages || o.all))
      for (const { record, names } of images.list())
        if (names.length === 0) {
          removed.push(record.imageId);
          if (!o.dryRun) images.remove(record);
        }
    const { downloads, ...besides } = await this.#pruneSources(o, left, fitting?.sources);
    const kept = new KeptBlobs(keys, o.dryRun ? forgotten : new Set());
    const gone = new Set(o.dryRun ? removed : []);
    // Where nobody is at work everything unneeded may go. Whoever begins meanwhile has a lease first, and then nothing more goes that could be new to it; nor does what a running build may just have written.
    const alone = this.#leases.count() === 0;
    const swept = await sweep(this.#worker.store, {
      keep: (digest) =>
        (alone && this.#leases.count() > 0) ||
        kept.has(digest) ||
        (this.#worker.downloads.has(digest) && !downloads.has(digest)) ||
        (images.isReferenced(digest) && !gone.has(digest)),
      olderThan: alone ? Infinity : this.#clock.now() - HOUR,
      leases: this.#leases,
      dryRun: o.dryRun,
      signal: o.signal,
    });
    const snapshots = await this.#worker.stage.prune({ keep: kept.stacks(), dryRun: o.dryRun, signal: o.signal });
    const cachesGone: CacheInfo[] = [];
    for (const cache of caches)
      if (o.dryRun || (await this.#worker.caches.remove(cache.name, { signal: o.signal }))) cachesGone.push(cache);
    return {
      results: forgotten.size + unreachable,
      blobs: swept.digests.length,
      snapshots: snapshots.removed,
      images: removed,
      repositories: besides.mirrors,
      caches: cachesGone.map(({ id, bytes, usedAt }) => ({ id, bytes, usedAt })),
      records: fitting?.chosen,
      bytes: swept.freed + snapshots.bytes + besides.bytes + cachesGone.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }

  /** Builds on record: by age; of what was built within a month the last one stays, so that it can still be said why the next one runs. */
  #forgetBuilds(o: PruneOptions): void {
    const now = this.#clock.now();
    const before = o.all ? now : o.olderThan === undefined ? now - MONTH : now - o.olderThan;
    this.#history.prune({ before, last: now - MONTH });
  }

  /** Mirrors of git repositories and downloads: by age, then, the least recently used first, until they take no more than `room` bytes. A mirror that is at work stays; the blobs of downloads go with the sweep. */
  async #pruneSources(
    o: PruneOptions,
    room: number,
    only?: ReadonlySet<string>,
  ): Promise<{ mirrors: number; bytes: number; downloads: ReadonlySet<Digest> }> {
    const { mirrors, downloads } = this.#worker;
    const limit = o.all ? Infinity : o.olderThan === undefined ? -Infinity : this.#clock.now() - o.olderThan;
    const found = [
      ...(await mirrors.list(o)).map((mirror) => ({ ...mirror, kind: 'mirror' as const })),
      ...downloads.list().map((one) => ({ ...one, kind: 'download' as const, bytes: one.size })),
    ].sort((a, b) => a.usedAt - b.usedAt);
    let rest = found.reduce((sum, { bytes }) => sum + bytes, 0);
    const forgotten = new Set<Digest>();
    let removed = 0;
    let freed = 0;
    for (const one of found) {
      const stays = only
        ? !only.has(one.kind === 'download' ? one.digest : one.name)
        : one.usedAt >= limit && rest <= room;
      if (stays) continue;
      if (one.kind === 'download') {
        forgotten.add(one.digest);
        if (!o.dryRun) downloads.forget(one.digest);
      } else if (o.dryRun || mirrors.remove(one.name)) {
        removed += 1;
        freed += one.bytes;
      } else continue;
      rest -= one.bytes;
    }
    return { mirrors: removed, bytes: freed, downloads: forgotten };
  }

  /** Records that fit and are to go: the least recently used first, those that were not used for long enough, as long as there is more than may stay. */
  async #fitting(
    o: PruneOptions,
    fits: (record: StoreRecord) => boolean,
  ): Promise<{
    readonly chosen: readonly StoreRecord[];
    readonly forgotten: ReadonlySet<Digest>;
    readonly caches: readonly CacheInfo[];
    readonly sources: ReadonlySet<string>;
    readonly left: number;
  }> {
    const all = await storeRecords(this.#worker, o);
    const records = all.filter((record) => record.of !== 'image' && record.of !== 'rest' && fits(record));
    const limit = o.olderThan === undefined ? Infinity : this.#clock.now() - o.olderThan;
    let total = all.reduce((sum, { bytes, shared }) => sum + (shared ? 0 : bytes), 0);
    const chosen: StoreRecord[] = [];
    for (const record of records.sort((a, b) => (a.usedAt ?? 0) - (b.usedAt ?? 0))) {
      if (o.keepBytes !== undefined && total <= o.keepBytes) break;
      if (record.inUse || (record.usedAt ?? 0) > limit) continue;
      if (!record.shared) total -= record.bytes;
      chosen.push(record);
    }
    const idsOf = (...kinds: readonly StoreRecord['of'][]): ReadonlySet<string> =>
      new Set(chosen.flatMap(({ of, id }) => (kinds.includes(of) ? [id] : [])));
    const caches = idsOf('cache');
    return {
      chosen,
      forgotten: idsOf('result') as ReadonlySet<Digest>,
      caches: caches.size === 0 ? [] : (await this.#worker.caches.list(o)).filter(({ name }) => caches.has(name)),
      sources: idsOf('repository', 'download'),
      left: Infinity,
    };
  }

  records(w: Wait = {}): Promise<readonly StoreRecord[]> {
    return storeRecords(this.#worker, w);
  }

  /**
   * The results to be forgotten and the cache mounts to be removed: by age; then, the least recently used first, until what the rest and the images need takes no more than `keepBytes`; `left` is what there is room for besides. Caches that a
   * step has stay.
   */
  async #choose(
    o: PruneOptions,
  ): Promise<{ forgotten: ReadonlySet<Digest>; caches: readonly CacheInfo[]; left: number }> {
    const { keys, images, store } = this.#worker;
    const results = keys.list();
    const limit = o.all ? Infinity : o.olderThan === undefined ? -Infinity : this.#clock.now() - o.olderThan;
    const forgotten = new Set(results.filter(({ usedAt }) => usedAt < limit).map(({ id }) => id));
    if (limit === -Infinity && o.keepBytes === undefined) return { forgotten, caches: [], left: Infinity };
    const idle = (await this.#worker.caches.list(o)).filter(({ inUse }) => !inUse);
    const caches = idle.filter(({ usedAt }) => usedAt < limit);
    if (o.keepBytes === undefined) return { forgotten, caches, left: Infinity };
    const others = idle.filter((cache) => !caches.includes(cache)).sort((a, b) => a.usedAt - b.usedAt);
    const users = new Map<Digest, number>();
    for (const { id, outputs } of results)
      if (!forgotten.has(id))
        for (const digest of blobsOfOutputs(outputs)) users.set(digest, (users.get(digest) ?? 0) + 1);
    const sizes = new Map<Digest, number>();
    let bytes = others.reduce((sum, cache) => sum + cache.bytes, 0);
    for await (const { digest, size } of store.list(o)) {
      const byImage = images.isReferenced(digest);
      if (byImage || users.has(digest)) bytes += size;
      if (!byImage) sizes.set(digest, size);
    }
    for (const { id, outputs, usedAt } of results) {
      for (let next = others[0]; next && next.usedAt < usedAt && bytes > o.keepBytes; next = others[0]) {
        bytes -= next.bytes;
        caches.push(next);
        others.shift();
      }
      if (bytes <= o.keepBytes) break;
      if (forgotten.has(id)) continue;
      forgotten.add(id);
      for (const digest of blobsOfOutputs(outputs)) {
        const left = (users.get(digest) ?? 1) - 1;
        users.set(digest, left);
        if (left === 0) bytes -= sizes.get(digest) ?? 0;
      }
    }
    for (const cache of others) {
      if (bytes <= o.keepBytes) break;
      bytes -= cache.bytes;
      caches.push(cache);
    }
    return { forgotten, caches, left: o.keepBytes - bytes };
  }

  async usage(w: Wait = {}): ReturnType<StoreService['usage']> {
    let blobs = 0;
    let blobBytes = 0;
    for await (const { size } of this.#worker.store.list(w)) {
      blobs += 1;
      blobBytes += size;
    }
    const { snapshots, bytes } = await this.#worker.stage.usage(w);
    const mirrors = await this.#worker.mirrors.list(w);
    const caches = await this.#worker.caches.list(w);
    return {
      blobs,
      blobBytes,
      snapshots,
      snapshotBytes: bytes,
      repositories: mirrors.length,
      repositoryBytes: mirrors.reduce((sum, mirror) => sum + mirror.bytes, 0),
      caches: caches.length,
      cacheBytes: caches.reduce((sum, cache) => sum + cache.bytes, 0),
      images: this.#worker.images.list().length,
    };
  }

  async *check(o: { onProgress?: (done: number, total: number) => void } & Wait = {}): AsyncIterable<StoreProblem> {
    const { store, images } = this.#worker;
    for (const { integrity_check: found } of this.#database.all('PRAGMA integrity_check'))
      if (found !== 'ok') yield { what: join(this.folder, 'strake.db'), problem: found as string };
    const blobs: { digest: Digest; size: number }[] = [];
    for await (const blob of store.list(o)) blobs.push(blob);
    let done = 0;
    for (const { digest, size } of blobs) {
      throwIfCancelled(o);
      try {
        for await (const chunk of await store.open({ mediaType: '', digest, size }, o)) void chunk;
      } catch (error) {
        throwIfCancelled(o);
        yield { what: `blob ${digest}`, problem: messageOf(error) };
      }
      o.onProgress?.(++done, blobs.length);
    }
    for (const { record, names } of images.list()) {
      const what = `image ${names[0] ?? record.imageId}`;
      try {
        if (
          record.layers.some((layer) => !this.#worker.layers.isHere({ ...layer, source: undefined }) && !layer.source)
        )
          yield { what, problem: 'a layer is gone' };
        else if (record.manifest) await validateImage(images.open(record, { codec: NONE }), { layers: false });
        else if (statSync(store.pathOf(record.imageId), { throwIfNoEntry: false }) === undefined)
          yield { what, problem: 'its config is gone' };
      } catch (error) {
        yield { what, problem: messageOf(error) };
      }
    }
  }
}

/** What the results on record need, as they are at the moment of asking: other processes add to them. */
class KeptBlobs {
  readonly #keys: KeyStore;
  readonly #without: ReadonlySet<Digest>;
  #version: string | undefined;
  #stacks: readonly (readonly RefLayer[])[] = [];
  #blobs: ReadonlySet<Digest> = new Set();

  constructor(keys: KeyStore, without: ReadonlySet<Digest>) {
    this.#keys = keys;
    this.#without = without;
  }

  has(digest: Digest): boolean {
    this.#update();
    return this.#blobs.has(digest);
  }

  /** The layers of every result that stays. */
  stacks(): readonly (readonly RefLayer[])[] {
    this.#update();
    return this.#stacks;
  }

  #update(): void {
    const version = this.#keys.version();
    if (version === this.#version) return;
    const outputs = this.#keys.list().flatMap((result) => (this.#without.has(result.id) ? [] : result.outputs));
    this.#stacks = outputs.map(layersOfOutput);
    this.#blobs = new Set(this.#stacks.flatMap((layers) => blobsOf(layers)));
    this.#version = version;
  }
}

function layersOfOutput(output: ResultRecord): readonly RefLayer[] {
  return (output as { layers?: readonly RefLayer[] }).layers ?? [];
}

function blobsOfOutputs(outputs: readonly ResultRecord[]): ReadonlySet<Digest> {
  return new Set(outputs.flatMap((output) => blobsOf(layersOfOutput(output))));
}
