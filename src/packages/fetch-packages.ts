import { hasCode, mapBounded, redactUrl, throwIfCancelled, type Bytes, type Wait } from '../base/index.ts';
import type { BlobStore, Descriptor } from '../blob/index.ts';
import { packagesError } from './errors.ts';
import type { Lock, LockPackage } from './lock.ts';
import { fetchFrom, type MirrorAccess } from './mirror.ts';

export const DEB_MEDIA_TYPE = 'application/vnd.debian.binary-package';

export type FetchEvent =
  | { readonly kind: 'start'; readonly packages: number; readonly bytes: number }
  | { readonly kind: 'bytes'; readonly package: string; readonly bytes: number }
  | { readonly kind: 'done'; readonly package: string };

/** The blob of a package's .deb. */
export function debDescriptor(item: LockPackage): Descriptor {
  return { mediaType: DEB_MEDIA_TYPE, digest: item.digest, size: item.size };
}

/**
 * Brings all .debs of a lock into the store, several at once, verified by the lock's digests; what is there already is not fetched. `start` counts what is missing only.
 * Throws `PACKAGE_GONE` when no mirror has that version any more, `PACKAGE_MISMATCH`, and what `fetchFrom` throws.
 */
export async function fetchPackages(
  lock: Lock,
  o: {
    blobs: BlobStore;
    /** How many at once; 6 by default. */
    lanes?: number | undefined;
    onProgress?: ((event: FetchEvent) => void) | undefined;
  } & MirrorAccess &
    Wait,
): Promise<void> {
  const missing: LockPackage[] = [];
  for (const item of lock.packages) if (!(await o.blobs.has(debDescriptor(item), o))) missing.push(item);
  if (missing.length === 0) return;
  o.onProgress?.({ kind: 'start', packages: missing.length, bytes: missing.reduce((sum, { size }) => sum + size, 0) });
  // The largest first, so that none is left to the end alone.
  missing.sort((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1));
  const stop = new AbortController();
  const signal = o.signal ? AbortSignal.any([o.signal, stop.signal]) : stop.signal;
  await mapBounded(missing, o.lanes ?? 6, async (item) => {
    try {
      await fetchOne(lock, item, { ...o, signal });
      o.onProgress?.({ kind: 'done', package: item.name });
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  });
}

async function fetchOne(
  lock: Lock,
  item: LockPackage,
  o: { blobs: BlobStore; onProgress?: ((event: FetchEvent) => void) | undefined } & MirrorAccess & Wait,
): Promise<void> {
  const { uris = [] } = lock.sources[item.from] ?? {};
  let failure: unknown;
  for (const uri of uris) {
    throwIfCancelled(o);
    const url = `${uri}/${item.path}`;
    try {
      const content = await fetchFrom(url, o);
      if (!content) continue;
      const expect = debDescriptor(item);
      await o.blobs.put(counted(content, item, o), { mediaType: expect.mediaType, expect, signal: o.signal });
      return;
    } catch (error) {
      throwIfCancelled(o);
      failure ??= hasCode(error, 'BLOB_MISMATCH')
        ? packagesError(
            'PACKAGE_MISMATCH',
            `fetch "${redactUrl(url)}": it is not what the lock names, ${item.digest}, ${item.size} bytes`,
            {
              cause: error,
              remedy: 'Try again, or name another mirror with --mirror URL.',
            },
          )
        : error;
    }
  }
  if (failure !== undefined) throw failure;
  throw packagesError(
    'PACKAGE_GONE',
    `fetch package "${item.name}" ${item.version}: ${uris.map((uri) => `"${redactUrl(uri)}"`).join(', ')} does not have it any more`,
    { remedy: 'Make the lock anew, or name a snapshot mirror of its date with --mirror URL.' },
  );
}

async function* counted(
  content: Bytes,
  item: LockPackage,
  o: { onProgress?: ((event: FetchEvent) => void) | undefined },
): Bytes {
  for await (const chunk of content) {
    o.onProgress?.({ kind: 'bytes', package: item.name, bytes: chunk.length });
    yield chunk;
  }
}
