import { throwIfCancelled, type Wait } from '../base/index.ts';
import type { BlobInfo, BlobStore } from './blob-store.ts';
import type { Digest } from './digest.ts';
import type { Leases } from './leases.ts';

export interface Swept {
  /** Bytes given back. */
  readonly freed: number;
  readonly digests: readonly Digest[];
}

/** So many blobs are decided about in one transaction. */
const BATCH = 64;

/**
 * Deletes the blobs that nobody wants: those stored before `olderThan` (milliseconds since the epoch), not leased, and not to be kept. `keep` is asked inside a transaction on the leases' database, right before a blob goes, and must answer from
 * what is recorded at that moment: whoever records a blob does so while holding a lease on it, and so never loses it. With `dryRun` nothing is deleted.
 */
export async function sweep(
  store: BlobStore,
  o: { keep: (digest: Digest) => boolean; olderThan: number; leases: Leases; dryRun?: boolean | undefined } & Wait,
): Promise<Swept> {
  o.leases.expire();
  let freed = 0;
  const digests: Digest[] = [];
  const decide = async (batch: readonly BlobInfo[]): Promise<void> => {
    const deletions = o.leases.exclusively(() =>
      batch
        .filter((blob) => !o.leases.isLeased(blob.digest) && !o.keep(blob.digest))
        .map((blob) => ({ blob, gone: o.dryRun ? Promise.resolve(true) : store.delete(blob.digest) })),
    );
    for (const { blob, gone } of deletions) {
      if (!(await gone)) continue;
      freed += blob.size;
      digests.push(blob.digest);
    }
  };
  let batch: BlobInfo[] = [];
  for await (const blob of store.list(o)) {
    throwIfCancelled(o);
    if (blob.storedAt >= o.olderThan) continue;
    batch.push(blob);
    if (batch.length < BATCH) continue;
    await decide(batch);
    batch = [];
  }
  await decide(batch);
  return { freed, digests };
}
