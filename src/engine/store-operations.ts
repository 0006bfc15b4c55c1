import { statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, throwIfCancelled, type Clock, type Database, type Wait } from '../base/index.ts';
import { sweep, type Digest, type Leases } from '../blob/index.ts';
import { validateImage } from '../image/index.ts';
import { NONE } from '../tree/index.ts';
import type { RefLayer, Worker } from '../worker/index.ts';
import type { PruneOptions, PruneReport, StoreProblem, StoreService } from './engine.ts';

const HOUR = 3_600_000;

/** What is done to the store as a whole. */
export class StoreOperations implements StoreService {
  readonly folder: string;
  readonly #worker: Worker;
  readonly #database: Database;
  readonly #leases: Leases;
  readonly #clock: Clock;

  constructor(o: { folder: string; worker: Worker; database: Database; leases: Leases; clock: Clock }) {
    this.folder = o.folder;
    this.#worker = o.worker;
    this.#database = o.database;
    this.#leases = o.leases;
    this.#clock = o.clock;
  }

  /**
   * Forgets recorded results by age, then by size, the least recently used first; then images without a name where asked; then every blob and snapshot that nothing recorded needs.
   */
  async prune(o: PruneOptions): Promise<PruneReport> {
    const now = this.#clock.now();
    const { keys, images } = this.#worker;
    const results = keys.list();
    const limit = o.all ? now + 1 : o.olderThan === undefined ? undefined : now - o.olderThan;
    const forgotten = new Set<Digest>();
    if (limit !== undefined) for (const result of results) if (result.usedAt < limit) forgotten.add(result.id);
    if (o.keepBytes !== undefined) {
      let bytes = (await this.usage(o)).blobBytes;
      for (const result of results) {
        if (bytes <= o.keepBytes) break;
        if (forgotten.has(result.id)) continue;
        forgotten.add(result.id);
        bytes -= this.#bytesOf(result.outputs as readonly { layers?: readonly RefLayer[] }[]);
      }
    }
    if (!o.dryRun) for (const id of forgotten) keys.forget(id);
    const removed: Digest[] = [];
    if (o.danglingImages || o.all)
      for (const { record, names } of images.list())
        if (names.length === 0) {
          removed.push(record.imageId);
          if (!o.dryRun) images.remove(record);
        }
    const stacks = this.#stacks(forgotten, o.dryRun === true);
    const kept = new Set(
      stacks.flatMap((layers) =>
        layers.flatMap(({ diffId, compressed }) => [diffId, ...(compressed ? [compressed.digest] : [])]),
      ),
    );
    // Without other processes at work everything unneeded may go; else only what no running build can have just written.
    const olderThan = this.#leases.expire() >= 0 && this.#isAlone() ? now + 1000 : now - HOUR;
    const swept = await sweep(this.#worker.store, {
      keep: (digest) => kept.has(digest) || images.isReferenced(digest),
      olderThan,
      leases: this.#leases,
      dryRun: o.dryRun,
      signal: o.signal,
    });
    const snapshots = await this.#worker.stage.prune({ keep: stacks, dryRun: o.dryRun, signal: o.signal });
    return {
      results: forgotten.size,
      blobs: swept.digests.length,
      snapshots: snapshots.removed,
      images: removed,
      bytes: swept.freed + snapshots.bytes,
    };
  }

  async usage(
    w: Wait = {},
  ): Promise<{ blobs: number; blobBytes: number; snapshots: number; snapshotBytes: number; images: number }> {
    let blobs = 0;
    let blobBytes = 0;
    for await (const { size } of this.#worker.store.list(w)) {
      blobs += 1;
      blobBytes += size;
    }
    const { snapshots, bytes } = await this.#worker.stage.usage(w);
    return { blobs, blobBytes, snapshots, snapshotBytes: bytes, images: this.#worker.images.list().length };
  }

  async *check(o: { onProgress?: (done: number, total: number) => void } & Wait = {}): AsyncIterable<StoreProblem> {
    const { store, images } = this.#worker;
    const problem = this.#database.get('PRAGMA integrity_check');
    if (problem?.['integrity_check'] !== 'ok')
      yield { what: join(this.folder, 'strake.db'), problem: String(problem?.['integrity_check']) };
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

  /** The layers of every result that stays. */
  #stacks(forgotten: ReadonlySet<Digest>, dryRun: boolean): readonly (readonly RefLayer[])[] {
    return this.#worker.keys
      .list()
      .filter(({ id }) => !(dryRun && forgotten.has(id)))
      .flatMap(({ outputs }) =>
        (outputs as readonly { layers?: readonly RefLayer[] }[]).map((output) => output.layers ?? []),
      );
  }

  #bytesOf(outputs: readonly { layers?: readonly RefLayer[] }[]): number {
    const top = outputs.flatMap((output) => output.layers?.at(-1) ?? []);
    return top.reduce((sum, layer) => sum + (this.#worker.store.sizeOf(layer.diffId) ?? 0), 0);
  }

  #isAlone(): boolean {
    return this.#leases.count() === 0;
  }
}
