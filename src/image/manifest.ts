import { collect, hasCode, type Bytes } from '../base/index.ts';
import { digestOf, parseDigest, type Descriptor, type Platform } from '../blob/index.ts';
import { imageError } from './errors.ts';
import { goJson, unlessEmpty, type GoValue } from './go-json.ts';
import { isIndexType, isManifestType, isSchema1Type, MEDIA } from './media-types.ts';

/** The manifest of one image or artifact (image-spec manifest.md). `mediaType` is set even where the document leaves it out. */
export interface ImageManifest {
  readonly kind: 'image';
  readonly mediaType: string;
  readonly artifactType?: string | undefined;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** An image index (image-spec image-index.md) or Docker manifest list. */
export interface IndexManifest {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly artifactType?: string | undefined;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** Registries accept manifests up to this many bytes, and we read no larger one. */
export const MANIFEST_LIMIT = 4 << 20;

/** All of a manifest's bytes. Throws `MANIFEST_TOO_LARGE` above 4 MiB. */
export async function collectManifest(content: Bytes, what: string): Promise<Uint8Array> {
  try {
    return await collect(content, { limit: MANIFEST_LIMIT, what });
  } catch (error) {
    if (hasCode(error, 'TOO_MANY_BYTES'))
      throw imageError(
        'MANIFEST_TOO_LARGE',
        `read ${what}: larger than the ${MANIFEST_LIMIT} bytes a manifest may have`,
      );
    throw error;
  }
}

/**
 * Reads and checks a manifest or index. `mediaType` is what the descriptor or the registry's Content-Type says it is; a document that says otherwise, or is of both kinds at once, is refused.
 * Throws `MANIFEST_INVALID`, `MANIFEST_TOO_LARGE`, or `MANIFEST_UNSUPPORTED` for Docker's schema 1 and for types we do not know.
 */
export function parseManifest(
  content: Uint8Array,
  options: { mediaType?: string | undefined; what?: string | undefined } = {},
): ImageManifest | IndexManifest {
  const what = options.what ?? 'manifest';
  const bad = (detail: string): Error => imageError('MANIFEST_INVALID', `read ${what}: ${detail}`);
  if (content.length > MANIFEST_LIMIT)
    throw imageError('MANIFEST_TOO_LARGE', `read ${what}: larger than the ${MANIFEST_LIMIT} bytes a manifest may have`);
  const object = parseObject(content, bad);
  const own = object['mediaType'];
  if (own !== undefined && typeof own !== 'string') throw bad('"mediaType" is not a text');
  const said = options.mediaType === undefined || options.mediaType === '' ? undefined : options.mediaType;
  if (isSchema1Type(own ?? said ?? '') || object['schemaVersion'] === 1)
    throw imageError(
      'MANIFEST_UNSUPPORTED',
      `read ${what}: it is in Docker's old format "schema 1", which is not supported`,
      { remedy: 'Push the image again with a current tool, or ask for one that was built after 2017.' },
    );
  if (own !== undefined && said !== undefined && own !== said)
    throw bad(`it says it is "${own}", but was announced as "${said}"`);
  const isIndex = object['manifests'] !== undefined;
  const isImage = object['config'] !== undefined || object['layers'] !== undefined;
  if (isIndex && isImage) throw bad('it has members of both an image manifest and an index');
  const mediaType = own ?? said ?? (isIndex ? MEDIA.ociIndex : MEDIA.ociManifest);
  if (!isIndexType(mediaType) && !isManifestType(mediaType))
    throw imageError('MANIFEST_UNSUPPORTED', `read ${what}: "${mediaType}" is no type of manifest we know`);
  if (object['schemaVersion'] !== 2) throw bad('"schemaVersion" is not 2');
  if (isIndexType(mediaType) ? !isIndex : !isImage)
    throw bad(
      `it says it is "${mediaType}", but its content is ${isIndex ? 'an index' : isImage ? 'an image manifest' : 'neither image manifest nor index'}`,
    );

  const shared = {
    mediaType,
    artifactType: text(object['artifactType'], 'artifactType', bad),
    subject: object['subject'] === undefined ? undefined : parseDescriptor(object['subject'], 'subject', bad),
    annotations: textMap(object['annotations'], 'annotations', bad),
  };
  if (isIndexType(mediaType))
    return { kind: 'index', ...shared, manifests: descriptors(object['manifests'], 'manifests', bad) };
  return {
    kind: 'image',
    ...shared,
    config: parseDescriptor(object['config'], 'config', bad),
    layers: descriptors(object['layers'], 'layers', bad),
  };
}

/** `parseManifest` of what must be the manifest of one image. */
export function parseImageManifest(
  content: Uint8Array,
  options: { mediaType?: string | undefined; what?: string | undefined } = {},
): ImageManifest {
  const manifest = parseManifest(content, options);
  if (manifest.kind === 'image') return manifest;
  throw imageError('MANIFEST_INVALID', `read ${options.what ?? 'manifest'}: it is an index, not an image`);
}

/** `parseManifest` of what must be an index. */
export function parseIndexManifest(
  content: Uint8Array,
  options: { mediaType?: string | undefined; what?: string | undefined } = {},
): IndexManifest {
  const manifest = parseManifest(content, options);
  if (manifest.kind === 'index') return manifest;
  throw imageError(
    'MANIFEST_INVALID',
    `read ${options.what ?? 'index'}: it is the manifest of one image, not an index`,
  );
}

/** The bytes BuildKit would write for this manifest or index: two spaces of indent, members in the order of Go's image-spec types. */
export function encodeManifest(manifest: ImageManifest | IndexManifest): Uint8Array {
  return Buffer.from(goJson(manifestValue(manifest), 2));
}

/** The same on one line, as `index.json` of layouts and archives is written. */
export function encodeManifestCompact(manifest: ImageManifest | IndexManifest): Uint8Array {
  return Buffer.from(goJson(manifestValue(manifest)));
}

/** A descriptor as a Go value. */
export function descriptorValue(descriptor: Descriptor): GoValue {
  const { platform } = descriptor;
  return new Map<string, GoValue | undefined>([
    ['mediaType', descriptor.mediaType],
    ['digest', descriptor.digest],
    ['size', descriptor.size],
    ['urls', unlessEmpty(descriptor.urls)],
    ['annotations', unlessEmpty(descriptor.annotations)],
    ['data', unlessEmpty(descriptor.data)],
    ['platform', platform && platformValue(platform)],
    ['artifactType', unlessEmpty(descriptor.artifactType)],
  ]);
}

function platformValue(platform: Platform): GoValue {
  return new Map<string, GoValue | undefined>([
    ['architecture', platform.architecture],
    ['os', platform.os],
    ['os.version', unlessEmpty(platform['os.version'])],
    ['os.features', unlessEmpty(platform['os.features'])],
    ['variant', unlessEmpty(platform.variant)],
  ]);
}

function manifestValue(manifest: ImageManifest | IndexManifest): GoValue {
  const members: [string, GoValue | undefined][] =
    manifest.kind === 'image'
      ? [
          ['config', descriptorValue(manifest.config)],
          ['layers', manifest.layers.map((layer) => descriptorValue(layer))],
        ]
      : [['manifests', manifest.manifests.map((member) => descriptorValue(member))]];
  return new Map<string, GoValue | undefined>([
    ['schemaVersion', 2],
    ['mediaType', manifest.mediaType],
    ['artifactType', unlessEmpty(manifest.artifactType)],
    ...members,
    ['subject', manifest.subject && descriptorValue(manifest.subject)],
    ['annotations', unlessEmpty(manifest.annotations)],
  ]);
}

type Bad = (detail: string) => Error;

function parseObject(content: Uint8Array, bad: Bad): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content));
  } catch (error) {
    throw bad(error instanceof SyntaxError ? `not JSON: ${error.message}` : 'not UTF-8');
  }
  if (!isObject(value)) throw bad('not a JSON object');
  return value;
}

function descriptors(value: unknown, at: string, bad: Bad): readonly Descriptor[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) throw bad(`"${at}" is not a list`);
  return value.map((item, index) => parseDescriptor(item, `${at}[${index}]`, bad));
}

function parseDescriptor(value: unknown, at: string, bad: Bad): Descriptor {
  if (!isObject(value)) throw bad(`"${at}" is not a descriptor`);
  const { mediaType, digest, size, urls, data, platform } = value;
  if (typeof mediaType !== 'string') throw bad(`"${at}.mediaType" is missing`);
  if (typeof digest !== 'string') throw bad(`"${at}.digest" is missing`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw bad(`"${at}.size" is not a number of bytes`);
  if (urls !== undefined && urls !== null && !(Array.isArray(urls) && urls.every((url) => typeof url === 'string')))
    throw bad(`"${at}.urls" is not a list of texts`);
  const descriptor: Descriptor = {
    mediaType,
    digest: parseDigest(digest),
    size,
    ...present('urls', (urls ?? undefined) as readonly string[] | undefined),
    ...present('annotations', textMap(value['annotations'], `${at}.annotations`, bad)),
    ...present('data', text(data, `${at}.data`, bad)),
    ...present('platform', platform === undefined || platform === null ? undefined : parsePlatform(platform, at, bad)),
    ...present('artifactType', text(value['artifactType'], `${at}.artifactType`, bad)),
  };
  checkData(descriptor, at, bad);
  return descriptor;
}

/** Embedded content must be what the digest says, or whoever trusts it could be led astray (image-spec descriptor.md, `data`). */
function checkData(descriptor: Descriptor, at: string, bad: Bad): void {
  if (descriptor.data === undefined || !descriptor.digest.startsWith('sha256:')) return;
  const content = Buffer.from(descriptor.data, 'base64');
  if (content.length !== descriptor.size || digestOf(content) !== descriptor.digest)
    throw bad(`"${at}.data" is not the content that its digest names`);
}

function parsePlatform(value: unknown, at: string, bad: Bad): Platform {
  if (!isObject(value)) throw bad(`"${at}.platform" is not an object`);
  const features = value['os.features'];
  if (
    features !== undefined &&
    features !== null &&
    !(Array.isArray(features) && features.every((item) => typeof item === 'string'))
  )
    throw bad(`"${at}.platform.os.features" is not a list of texts`);
  return {
    architecture: text(value['architecture'], `${at}.platform.architecture`, bad) ?? '',
    os: text(value['os'], `${at}.platform.os`, bad) ?? '',
    ...present('os.version', text(value['os.version'], `${at}.platform.os.version`, bad)),
    ...present('os.features', (features ?? undefined) as readonly string[] | undefined),
    ...present('variant', text(value['variant'], `${at}.platform.variant`, bad)),
  };
}

function present<K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } {
  return (value === undefined || value === '' ? {} : { [key]: value }) as { readonly [key in K]?: V };
}

function text(value: unknown, at: string, bad: Bad): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw bad(`"${at}" is not a text`);
  return value;
}

function textMap(value: unknown, at: string, bad: Bad): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value) || !Object.values(value).every((member) => typeof member === 'string'))
    throw bad(`"${at}" is not a map of texts`);
  return value as Readonly<Record<string, string>>;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
