import { collect, fileBytes } from '../../base/index.ts';
import { digestOf, verified, type BlobReader, type Descriptor } from '../../blob/index.ts';
import type { CacheImport } from '../../engine/index.ts';
import { MANIFEST_LIMIT, MEDIA } from '../../image/index.ts';
import type { BuildHost } from '../../worker/index.ts';

/** What a client has uploaded for a build, as files of this machine, by the name of their store. */
export type Uploads = ReadonlyMap<string, string>;

/** A session's host for one build: the stores of layouts by the names that BuildKit's clients give them, and what was uploaded. */
export function clientHost(host: BuildHost, uploads: Uploads): BuildHost {
  return {
    ...host,
    blobs: (store) => {
      const file = uploads.get(store);
      if (file !== undefined) return fileBlob(file);
      return host.blobs(/^(?:oci|local):|^export/.test(store) ? store : `oci:${store}`);
    },
  };
}

function fileBlob(path: string): BlobReader {
  return {
    has: async () => true,
    open: async (descriptor, o = {}) =>
      o.offset === undefined && o.length === undefined
        ? verified(fileBytes(path, { signal: o.signal }), descriptor)
        : fileBytes(path, o),
  };
}

/** A client names the manifest of a local cache by its digest alone: what else a descriptor has is read from the content. One that cannot be read stays as it is. */
export async function describeImports(
  imports: readonly CacheImport[],
  host: BuildHost,
): Promise<readonly CacheImport[]> {
  return Promise.all(
    imports.map(async (one) => {
      if (one.type !== 'local') return one;
      const manifest = await describe(one.manifest, host.blobs(one.store)).catch(() => one.manifest);
      return { ...one, manifest };
    }),
  );
}

async function describe(named: Descriptor, blobs: BlobReader): Promise<Descriptor> {
  const range = { offset: 0, length: MANIFEST_LIMIT };
  const content = await collect(await blobs.open({ ...named, size: MANIFEST_LIMIT }, range), { limit: MANIFEST_LIMIT });
  if (digestOf(content) !== named.digest) return named;
  const { mediaType } = JSON.parse(Buffer.from(content).toString()) as { mediaType?: unknown };
  return {
    digest: named.digest,
    size: content.length,
    mediaType: typeof mediaType === 'string' ? mediaType : MEDIA.ociIndex,
  };
}
