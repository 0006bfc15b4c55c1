import { collect } from '../../base/index.ts';
import { digestOf, type BlobReader, type Descriptor } from '../../blob/index.ts';
import type { CacheImport } from '../../engine/index.ts';
import { MANIFEST_LIMIT, MEDIA } from '../../image/index.ts';
import type { FileSource } from '../../tree/index.ts';
import type { BuildHost } from '../../worker/index.ts';

/** A session's host for one build: the stores of layouts by the names that BuildKit's clients give them, and the files that were uploaded. */
export function clientHost(host: BuildHost, uploads: ReadonlyMap<string, FileSource>): BuildHost {
  return {
    ...host,
    elsewhere: true,
    files: (name) => uploads.get(name) ?? host.files(name),
    blobs: (store) => host.blobs(/^(?:oci|local):|^export/.test(store) ? store : `oci:${store}`),
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
