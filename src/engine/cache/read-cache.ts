import { collect, hasCode, type Wait } from '../../base/index.ts';
import type { BlobReader, Descriptor } from '../../blob/index.ts';
import {
  collectManifest,
  isAttestation,
  isConfigType,
  isIndexType,
  isManifestType,
  parseConfig,
  parseManifest,
  type ImageManifest,
} from '../../image/index.ts';
import { engineError } from '../errors.ts';
import {
  CACHE_CONFIG_LIMIT,
  CACHE_CONFIG_TYPE,
  decodeCacheConfig,
  decodeInlineCache,
  type ReadCache,
} from './document.ts';
import type { CachedLayer } from './types.ts';

/** Where BuildKit keeps a cache in the config of an image (exporter/containerimage/exptypes). */
export const INLINE_MEMBER = 'moby.buildkit.cache.v0';
/** Platforms of an index whose caches are read. */
const MOST_IMAGES = 32;

/**
 * The records that a manifest leads to: of a cache, in both of BuildKit's forms, or of an image with a cache inside, for each of its platforms. Two blobs are read for one manifest. Throws `CACHE_FOREIGN`, `CACHE_INVALID`, `CACHE_NONE`
 * and what reading brings.
 */
export async function readCache(
  content: Uint8Array,
  o: { mediaType: string; blobs: BlobReader } & Wait,
): Promise<readonly ReadCache<CachedLayer>[]> {
  const manifest = parseManifest(content, { mediaType: o.mediaType });
  if (manifest.kind === 'image') return [await ofManifest(manifest, o)];
  const config = manifest.manifests.find(({ mediaType }) => mediaType === CACHE_CONFIG_TYPE);
  if (config) return [decodeCacheConfig(await configAt(config, o), manifest.manifests)];
  const images = manifest.manifests.filter(
    (member) => !isAttestation(member) && (isManifestType(member.mediaType) || isIndexType(member.mediaType)),
  );
  const found: ReadCache<CachedLayer>[] = [];
  for (const member of images.slice(0, MOST_IMAGES)) {
    const { mediaType } = member;
    const bytes = await collectManifest(await o.blobs.open(member, { signal: o.signal }), `manifest ${member.digest}`);
    const parsed = parseManifest(bytes, { mediaType });
    if (parsed.kind === 'index') continue;
    try {
      found.push(await ofManifest(parsed, o));
    } catch (error) {
      if (!hasCode(error, 'CACHE_NONE')) throw error;
    }
  }
  if (found.length === 0) throw none();
  return found;
}

async function ofManifest(
  { config, layers }: ImageManifest,
  o: { blobs: BlobReader } & Wait,
): Promise<ReadCache<CachedLayer>> {
  if (config.mediaType === CACHE_CONFIG_TYPE) return decodeCacheConfig(await configAt(config, o), layers);
  if (!isConfigType(config.mediaType)) throw none();
  const image = parseConfig(await configAt(config, o));
  const cache = (image as unknown as Record<string, unknown>)[INLINE_MEMBER];
  if (cache === undefined) throw none();
  const diffIds = image.rootfs.diff_ids;
  if (diffIds.length !== layers.length)
    throw engineError('CACHE_INVALID', 'read cache: the image has another number of layers than its config says');
  return decodeInlineCache(
    cache,
    layers.flatMap((compressed, at) => {
      const diffId = diffIds[at];
      return diffId === undefined ? [] : [{ diffId, compressed }];
    }),
  );
}

async function configAt(config: Descriptor, o: { blobs: BlobReader } & Wait): Promise<Uint8Array> {
  if (config.size > CACHE_CONFIG_LIMIT)
    throw engineError(
      'CACHE_INVALID',
      `read cache: its config has ${config.size} bytes, more than ${CACHE_CONFIG_LIMIT}`,
    );
  return collect(await o.blobs.open(config, { signal: o.signal }), { limit: CACHE_CONFIG_LIMIT, what: 'its config' });
}

function none(): Error {
  return engineError('CACHE_NONE', 'read cache: there is none in it');
}
