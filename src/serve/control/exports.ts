import { canonicalReference, formatPlatform, parsePlatform, parseReference } from '../../image/index.ts';
import type { Compression, ExportRequest, ImageMetadata } from '../../engine/index.ts';
import { sinkName } from '../../wire/buildkit/index.ts';
import { serveError } from '../errors.ts';
import { Attrs } from './attrs.ts';

type Annotation = ImageMetadata['annotations'][number];

/** What the exporters of a solve ask for. */
export interface ExportPlan extends ImageMetadata {
  readonly exports: readonly ExportRequest[];
  readonly epoch: number | undefined;
  /** Attributes that nothing here knows. */
  readonly unknown: readonly string[];
}

/** Accepted, and of no effect here: layers lie unpacked in the store, which finds images by their digests too. */
const IDLE = [
  'buildinfo',
  'buildinfo-attrs',
  'unpack',
  'dangling-name-prefix',
  'danging-name-empty-only',
  'name-canonical',
  'prefer-nondist-layers',
  'prefer-image-digest',
  'dest',
];

/** Exporters by BuildKit's names and attributes (facts 3.7). Their number among the exporters is the name of their sink. Throws `EXPORTER_INVALID`, `EXPORTER_UNSUPPORTED`. */
export function exportPlan(
  exporters: readonly { readonly Type: string; readonly Attrs: Readonly<Record<string, string>> }[],
): ExportPlan {
  const exports: ExportRequest[] = [];
  const annotations: Annotation[] = [];
  const unknown: string[] = [];
  let rewriteTimestamp = false;
  let epoch: number | undefined;
  for (const [at, { Type: type, Attrs: given }] of exporters.entries()) {
    const attrs = new Attrs(`exporter "${type}"`, given);
    for (const name of IDLE) attrs.text(name);
    rewriteTimestamp = attrs.boolean('rewrite-timestamp') === true || rewriteTimestamp;
    epoch = attrs.integer('source-date-epoch') ?? epoch;
    for (const name of attrs.names())
      if (name.startsWith('annotation')) {
        const value = attrs.text(name) ?? '';
        const annotation = annotationOf(name, value);
        if (!annotations.some((one) => sameAnnotation(one, annotation))) annotations.push(annotation);
      }
    exports.push(...exportOf(type, attrs, at));
    unknown.push(...attrs.names().map((name) => `${type}: ${name}`));
  }
  return { exports, annotations, rewriteTimestamp, epoch, unknown };
}

function exportOf(type: string, attrs: Attrs, exporter: number): ExportRequest[] {
  switch (type) {
    case 'image':
    case 'moby':
      return imageExports(attrs);
    case 'oci':
    case 'docker': {
      const compression = compressionOf(attrs);
      const oci = attrs.boolean('oci-mediatypes');
      const names = namesOf(attrs).map((name) => canonicalReference(parseReference(name)));
      const tar = attrs.boolean('tar') ?? true;
      const said = { inline: attrs.boolean('attestation-inline'), artifact: attrs.boolean('oci-artifact') };
      const sink = sinkName(tar ? { kind: 'stream', exporter } : { kind: 'blobs', store: 'export' });
      return [{ type, sink, tar, names, compression, docker: oci === undefined ? undefined : !oci, ...said }];
    }
    case 'local':
      return [
        {
          type,
          sink: sinkName({ kind: 'tree', exporter, mirror: attrs.text('mode') === 'delete' }),
          attestationPrefix: attrs.text('attestation-prefix'),
          split: attrs.boolean('platform-split'),
        },
      ];
    case 'tar':
      attrs.text('mode');
      return [
        {
          type,
          sink: sinkName({ kind: 'stream', exporter }),
          attestationPrefix: attrs.text('attestation-prefix'),
          split: attrs.boolean('platform-split'),
        },
      ];
    default:
      throw serveError('EXPORTER_UNSUPPORTED', `exporter "${type}" could not be found`, {
        remedy: 'Use image, oci, docker, local or tar.',
      });
  }
}

function imageExports(attrs: Attrs): ExportRequest[] {
  const compression = compressionOf(attrs);
  const names = namesOf(attrs);
  const push = attrs.boolean('push') === true;
  const byDigest = attrs.boolean('push-by-digest') === true;
  const store = attrs.boolean('store') ?? true;
  const insecure = attrs.boolean('registry.insecure');
  const oci = attrs.boolean('oci-mediatypes') ?? true;
  const exports: ExportRequest[] = [];
  // What is pushed by its digest alone has no name here either.
  if (store && (push ? names.length > 0 && !byDigest : true))
    exports.push({
      type: 'store',
      names,
      ...(!push && { describe: { compression, docker: !oci } }),
    });
  if (push) {
    if (names.length === 0) throw serveError('EXPORTER_INVALID', 'tag is needed when pushing to registry');
    const artifact = attrs.boolean('oci-artifact');
    attrs.boolean('attestation-inline');
    exports.push({
      type: 'registry',
      names,
      insecure,
      byDigest: byDigest || undefined,
      compression,
      artifact,
      docker: oci ? undefined : true,
    });
  }
  return exports;
}

function namesOf(attrs: Attrs): readonly string[] {
  const text = attrs.text('name');
  if (text === undefined || text === '*') return [];
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

function compressionOf(attrs: Attrs): Compression | undefined {
  const name = attrs.text('compression');
  const level = attrs.integer('compression-level');
  const force = attrs.boolean('force-compression') === true || undefined;
  const known: Readonly<Record<string, Compression['name']>> = { gzip: 'gzip', zstd: 'zstd', uncompressed: 'none' };
  if (name !== undefined && known[name] === undefined)
    throw serveError('EXPORTER_UNSUPPORTED', `unsupported layer compression type ${name}`, {
      remedy:
        name === 'estargz'
          ? 'Use gzip: every snapshotter takes it, one for lazy pulling too.'
          : 'Use gzip, zstd or uncompressed.',
    });
  if (name === undefined && level === undefined && !force) return undefined;
  return { name: known[name ?? 'gzip'] ?? 'gzip', level, force };
}

/** `annotation.key`, `annotation-LEVEL.key`, `annotation-LEVEL[platform].key` (exporter/containerimage/exptypes/annotations.go). */
function annotationOf(name: string, value: string): Annotation {
  const match = /^annotation(?:-([a-z-]+))?(?:\[([A-Za-z0-9_/.-]+)\])?\.(.+)$/.exec(name);
  const level = (['manifest', 'index', 'manifest-descriptor', 'index-descriptor'] as const).find(
    (one) => one === (match?.[1] ?? 'manifest'),
  );
  if (!match || !level) throw serveError('EXPORTER_INVALID', `read exporter attribute "${name}": no such annotation`);
  return {
    level,
    key: match[3] ?? '',
    value,
    ...(match[2] !== undefined && { platform: parsePlatform(match[2]) }),
  };
}

function sameAnnotation(a: Annotation, b: Annotation): boolean {
  const platform = (one: Annotation): string => (one.platform ? formatPlatform(one.platform) : '');
  return a.level === b.level && a.key === b.key && platform(a) === platform(b);
}
