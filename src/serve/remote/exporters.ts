import type {
  BuildRequest,
  CacheExport,
  CacheImport,
  Compression,
  ExportRequest,
  ImageMetadata,
} from '../../engine/index.ts';
import { formatPlatform, parseReference } from '../../image/index.ts';
import { remoteError } from './errors.ts';

/** An exporter or a cache, as BuildKit is asked for it. */
export interface Entry {
  readonly Type: string;
  readonly Attrs: Record<string, string>;
}

/** An exporter of BuildKit, and which sink of the asking side takes what it writes. */
export interface RemoteExport extends Entry {
  readonly sink?: string | undefined;
  /** What it writes is a layout of blobs, not a stream. */
  readonly layout?: boolean | undefined;
}

/** The outputs of a build by BuildKit's names (facts/dockerfile.md 3.7; exporter/containerimage/exptypes/keys.go). Throws `REMOTE_UNSUPPORTED`. */
export function exportersOf(
  request: BuildRequest & ImageMetadata,
  o: { readonly docker: boolean },
): readonly RemoteExport[] {
  const times =
    request.epoch === undefined
      ? {}
      : { 'source-date-epoch': String(request.epoch), 'rewrite-timestamp': String(request.rewriteTimestamp !== false) };
  return request.exports.map((e) => {
    const exporter = exporterOf(e, o);
    const isImage = e.type !== 'local' && e.type !== 'tar';
    return { ...exporter, Attrs: { ...exporter.Attrs, ...times, ...(isImage ? annotationsOf(request) : {}) } };
  });
}

function exporterOf(e: ExportRequest, { docker }: { readonly docker: boolean }): RemoteExport {
  const image = docker ? 'moby' : 'image';
  switch (e.type) {
    case 'store':
      return {
        Type: image,
        Attrs: { ...nameOf(e.names), 'oci-mediatypes': 'true', unpack: docker ? 'true' : 'false' },
      };
    case 'registry':
      return {
        // By Docker's own name a tag is put to every name, which no digest takes.
        Type: e.byDigest ? 'image' : image,
        Attrs: {
          ...(e.byDigest
            ? { name: repositoriesOf(e.names), 'push-by-digest': 'true', 'name-canonical': 'true' }
            : nameOf(e.names)),
          ...compressionOf(e.compression),
          push: 'true',
          // What is pushed is not kept there.
          ...(docker ? {} : { store: 'false' }),
          ...(e.insecure ? { 'registry.insecure': 'true' } : {}),
          'oci-mediatypes': String(e.docker !== true),
        },
      };
    case 'oci':
    case 'docker':
      if (!e.tar && e.type === 'docker')
        throw unsupported("write Docker's format as a folder", 'Write an OCI layout: type=oci,tar=false.');
      return {
        Type: e.type,
        Attrs: {
          ...nameOf(e.names),
          ...compressionOf(e.compression),
          ...(e.docker === undefined ? {} : { 'oci-mediatypes': String(!e.docker) }),
          ...(e.tar ? {} : { tar: 'false' }),
        },
        sink: e.sink,
        layout: !e.tar,
      };
    case 'docker-daemon':
      if (!docker)
        throw unsupported(
          'hand the image to a Docker daemon from elsewhere',
          'Build on that daemon (--on docker://), or write an archive (-o type=docker,dest=FILE) and load that.',
        );
      return { Type: image, Attrs: { ...nameOf(e.names), unpack: 'true' } };
    case 'containerd':
      throw unsupported(
        "hand the image to containerd's image store from elsewhere",
        'Push it to a registry, or write an archive (-o type=oci,dest=FILE) and import that.',
      );
    default:
      return {
        Type: e.type,
        Attrs: {
          ...(e.attestationPrefix === undefined ? {} : { 'attestation-prefix': e.attestationPrefix }),
          ...(e.split === undefined ? {} : { 'platform-split': String(e.split) }),
        },
        sink: e.sink,
      };
  }
}

function repositoriesOf(names: readonly string[]): string {
  const repositories = names.map((name) => {
    const { registry, repository } = parseReference(name);
    return `${registry}/${repository}`;
  });
  return [...new Set(repositories)].join(',');
}

function nameOf(names: readonly string[]): Record<string, string> {
  return names.length === 0 ? {} : { name: names.join(',') };
}

function compressionOf(compression: Compression | undefined): Record<string, string> {
  if (!compression) return {};
  const { name, level, force = false } = compression;
  return {
    compression: name === 'none' ? 'uncompressed' : name,
    'force-compression': String(force),
    ...(level === undefined ? {} : { 'compression-level': String(level) }),
  };
}

/** `annotation-TYPE[PLATFORM].KEY` (exporter/containerimage/exptypes/annotations.go). */
function annotationsOf({ annotations }: ImageMetadata): Record<string, string> {
  return Object.fromEntries(
    annotations.map(({ level, key, value, platform }) => [
      `annotation-${level}${platform ? `[${formatPlatform(platform)}]` : ''}.${key}`,
      value,
    ]),
  );
}

/** A cache to read, as the bridge takes it, and the store of blobs that it is found in. Throws `REMOTE_UNSUPPORTED`. */
export function cacheImportOf(cache: CacheImport): Entry & { readonly store?: readonly [id: string, store: string] } {
  if (cache.type === 'registry')
    return { Type: 'registry', Attrs: { ref: cache.ref, ...(cache.insecure ? { 'registry.insecure': 'true' } : {}) } };
  if (cache.type === 'objects') throw inCloud('read');
  return {
    Type: 'local',
    Attrs: { src: cache.name, digest: cache.manifest.digest },
    store: [`local:${cache.name}`, cache.store],
  };
}

/** A cache to write, and for one in a folder the id of the store that it goes to. Throws `REMOTE_UNSUPPORTED`. */
export function cacheExportOf(
  cache: CacheExport,
): Entry & { readonly store?: readonly [id: string, cache: Extract<CacheExport, { readonly type: 'local' }>] } {
  if (cache.type === 'inline') return { Type: 'inline', Attrs: {} };
  if (cache.mounts) throw unsupported('export what cache mounts hold', 'Leave out mounts=true.');
  const attrs = {
    mode: cache.mode,
    ...compressionOf(cache.compression),
    ...(cache.forceCompression ? { 'force-compression': 'true' } : {}),
    'oci-mediatypes': String(cache.docker !== true),
    'image-manifest': String(cache.asIndex !== true),
    ...(cache.ignoreError ? { 'ignore-error': 'true' } : {}),
  };
  if (cache.type === 'registry')
    return {
      Type: 'registry',
      Attrs: { ...attrs, ref: cache.ref, ...(cache.insecure ? { 'registry.insecure': 'true' } : {}) },
    };
  if (cache.type === 'objects') throw inCloud('write');
  return { Type: 'local', Attrs: { ...attrs, dest: cache.name }, store: [`local:${cache.name}`, cache] };
}

/** The daemon would ask the cloud with logins of ours: they do not leave this machine. */
function inCloud(action: string): Error {
  return remoteError(
    'REMOTE_UNSUPPORTED',
    `${action} a cache among the objects of a cloud for a build elsewhere: not supported yet`,
    {
      remedy: 'Use a registry: type=registry,ref=NAME.',
    },
  );
}

function unsupported(what: string, remedy: string): Error {
  return remoteError('REMOTE_UNSUPPORTED', `${what}: BuildKit cannot do that`, { remedy });
}
