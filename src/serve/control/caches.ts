import type { CacheExport, CacheImport, Compression } from '../../engine/index.ts';
import { parseDigest } from '../../blob/index.ts';
import { MEDIA } from '../../image/index.ts';
import { sinkName } from '../../wire/buildkit/index.ts';
import { serveError } from '../errors.ts';
import { Attrs } from './attrs.ts';

interface Entry {
  readonly Type: string;
  readonly Attrs: Readonly<Record<string, string>>;
}

/** Written against services that are not here yet. */
const LATER = new Set(['gha', 's3', 'azblob']);

/** Cache imports by BuildKit's names, once each. Throws `CACHE_INVALID`, `CACHE_UNSUPPORTED`. */
export function cacheImports(entries: readonly Entry[]): readonly CacheImport[] {
  const imports = new Map<string, CacheImport>();
  for (const { Type: type, Attrs: given } of entries) {
    const attrs = new Attrs(`cache import "${type}"`, given);
    if (type === 'registry') {
      const ref = attrs.text('ref');
      if (ref === undefined) throw serveError('CACHE_INVALID', 'registry cache importer requires ref');
      imports.set(`registry ${ref}`, { type, ref, insecure: attrs.boolean('registry.insecure') });
    } else if (type === 'local') {
      const [name, digest] = [attrs.text('src') ?? '', attrs.text('digest')];
      if (digest === undefined) throw serveError('CACHE_INVALID', 'local cache importer requires digest');
      const manifest = { mediaType: MEDIA.ociManifest, digest: parseDigest(digest), size: 0 };
      imports.set(`local ${name} ${digest}`, { type, store: `local:${name}`, name, manifest });
    } else if (type === 'inline' || type === '') continue;
    else throw unsupported('importer', type);
  }
  return [...imports.values()];
}

/** Cache exports by BuildKit's names. Throws `CACHE_INVALID`, `CACHE_UNSUPPORTED`. */
export function cacheExports(entries: readonly Entry[]): readonly CacheExport[] {
  const exports: CacheExport[] = [];
  for (const { Type: type, Attrs: given } of entries) {
    const attrs = new Attrs(`cache export "${type}"`, given);
    if (type === 'inline') {
      exports.push({ type });
      continue;
    }
    if (type !== 'registry' && type !== 'local') throw unsupported('exporter', type);
    const name = attrs.text('compression');
    const known: Readonly<Record<string, Compression['name']>> = { gzip: 'gzip', zstd: 'zstd', uncompressed: 'none' };
    const content = {
      mode: attrs.text('mode') === 'max' ? ('max' as const) : ('min' as const),
      compression:
        name === undefined ? undefined : { name: known[name] ?? 'gzip', level: attrs.integer('compression-level') },
      forceCompression: attrs.boolean('force-compression'),
      docker: attrs.boolean('oci-mediatypes') === false || undefined,
      asIndex: attrs.boolean('image-manifest') === false || undefined,
      ignoreError: attrs.boolean('ignore-error'),
    };
    if (type === 'registry') {
      const ref = attrs.text('ref');
      if (ref === undefined) throw serveError('CACHE_INVALID', 'registry cache exporter requires ref');
      exports.push({ type, ref, insecure: attrs.boolean('registry.insecure'), ...content });
    } else {
      const dest = attrs.text('dest');
      if (dest === undefined) throw serveError('CACHE_INVALID', 'local cache exporter requires dest');
      exports.push({
        type,
        sink: sinkName({ kind: 'blobs', store: `local:${dest}` }),
        name: dest,
        tag: attrs.text('tag') ?? 'latest',
        ...content,
      });
    }
  }
  return exports;
}

function unsupported(role: string, type: string): Error {
  if (LATER.has(type))
    return serveError('CACHE_UNSUPPORTED', `cache ${role} "${type}" is not supported yet`, {
      remedy: 'Use type=registry, type=local or type=inline.',
    });
  return serveError('CACHE_UNSUPPORTED', `unknown cache ${role}: "${type}"`);
}
