import { parseDigest } from '../../blob/index.ts';
import type { CacheStoreType, Cloud } from '../../cloud/index.ts';
import type { CacheExport, CacheImport, Compression } from '../../engine/index.ts';
import { MEDIA } from '../../image/index.ts';
import { sinkName } from '../../wire/buildkit/index.ts';
import type { BuildHost } from '../../worker/index.ts';
import { serveError } from '../errors.ts';
import { Attrs } from './attrs.ts';

interface Entry {
  readonly Type: string;
  readonly Attrs: Readonly<Record<string, string>>;
}

/** Kinds of caches among the objects of a cloud. */
const CLOUDS: readonly CacheStoreType[] = ['s3', 'azblob', 'gha'];

/** Caches among the objects of clouds that one build names: whose logins are the server's own, or come with the attributes. */
export class CloudCaches {
  readonly #named = new Map<string, { readonly type: CacheStoreType; readonly attrs: ReadonlyMap<string, string> }>();

  /** The cache's name in this build; undefined for a type that is none of these. */
  add(
    type: string,
    attrs: Readonly<Record<string, string>>,
  ): { readonly store: string; readonly name: string } | undefined {
    const found = CLOUDS.find((one) => one === type);
    if (!found) return undefined;
    const store = `cloud-${this.#named.size}`;
    this.#named.set(store, { type: found, attrs: new Map(Object.entries(attrs)) });
    const place = attrs['bucket'] ?? attrs['account_url'] ?? attrs['scope'];
    return { store, name: place === undefined ? found : `${found}:${place}` };
  }

  /** The asking side with these caches. */
  offeredBy(host: BuildHost, cloud: Cloud): BuildHost {
    if (this.#named.size === 0) return host;
    return {
      elsewhere: host.elsewhere,
      files: (name) => host.files(name),
      secret: (id, w) => host.secret(id, w),
      agent: (id, w) => host.agent(id, w),
      credentials: (registry, scopes, w) => host.credentials(registry, scopes, w),
      blobs: (store) => host.blobs(store),
      sink: (exporter) => host.sink(exporter),
      objects: async (store) => {
        const named = this.#named.get(store);
        const opened = named && (await import('../../cloud/index.ts')).openCacheStore(named.type, named.attrs, cloud);
        if (!opened)
          throw serveError('CACHE_INVALID', `use cache "${named?.type ?? store}": its token and url are missing`);
        return opened;
      },
    };
  }
}

/** Cache imports by BuildKit's names, once each. Throws `CACHE_INVALID`, `CACHE_UNSUPPORTED`. */
export function cacheImports(entries: readonly Entry[], clouds: CloudCaches): readonly CacheImport[] {
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
    else {
      const cloud = clouds.add(type, given);
      if (!cloud) throw unsupported('importer', type);
      imports.set(`${type} ${JSON.stringify(given)}`, { type: 'objects', ...cloud });
    }
  }
  return [...imports.values()];
}

/** Cache exports by BuildKit's names. Throws `CACHE_INVALID`, `CACHE_UNSUPPORTED`. */
export function cacheExports(entries: readonly Entry[], clouds: CloudCaches): readonly CacheExport[] {
  const exports: CacheExport[] = [];
  for (const { Type: type, Attrs: given } of entries) {
    const attrs = new Attrs(`cache export "${type}"`, given);
    if (type === 'inline') {
      exports.push({ type });
      continue;
    }
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
    } else if (type !== 'local') {
      const cloud = clouds.add(type, given);
      if (!cloud) throw unsupported('exporter', type);
      exports.push({ type: 'objects', ...cloud, ...content });
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
  return serveError('CACHE_UNSUPPORTED', `unknown cache ${role}: "${type}"`);
}
