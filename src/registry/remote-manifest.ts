import { type Wait } from '../base/index.ts';
import { algorithmOf, Digester, isDigest, type Descriptor, type Digest } from '../blob/index.ts';
import {
  collectManifest,
  imageError,
  isIndexType,
  isManifestType,
  isSchema1Type,
  MEDIA,
  parseManifest,
} from '../image/index.ts';
import type { Endpoint } from './endpoints.ts';
import { registryError } from './errors.ts';
import { failureOf, notRegistry } from './failure.ts';
import { scopeOf } from './repository.ts';
import type { RegistryResponse } from './transport.ts';

/** A manifest or index as it was served: these bytes are its identity. */
export interface FetchedManifest {
  readonly content: Uint8Array;
  readonly descriptor: Descriptor;
}

export interface ManifestQuestion extends Wait {
  /** Tag or digest. */
  readonly reference: string;
  /** `host/repository:tag`, for messages. */
  readonly what: string;
  /** The scope that is asked for with it, so that a push uses one token throughout. */
  readonly push?: boolean | undefined;
}

const ACCEPT = [
  MEDIA.ociIndex,
  MEDIA.ociManifest,
  MEDIA.dockerIndex,
  MEDIA.dockerManifest,
  // Without it some registries answer schema 1 to be kind; with it, for what they cannot convert.
  '*/*;q=0.5',
].join(', ');

/**
 * What a tag or digest means, by HEAD alone; undefined when the answer does not tell, or is any but 200: then a GET has to say.
 */
export async function headManifest(endpoint: Endpoint, question: ManifestQuestion): Promise<Descriptor | undefined> {
  const { reference, what, signal } = question;
  await using response = await endpoint.transport.request({
    method: 'HEAD',
    url: endpoint.url(`manifests/${reference}`),
    scopes: scopesOf(endpoint, question),
    headers: { accept: ACCEPT },
    what: `read manifest "${what}"`,
    signal,
  });
  if (response.status !== 200) return undefined;
  const digest = response.headers['docker-content-digest'];
  const size = Number(response.headers['content-length'] ?? Number.NaN);
  const mediaType = announced(response);
  if (digest === undefined || !isDigest(digest) || !Number.isSafeInteger(size) || size <= 0 || mediaType === undefined)
    return undefined;
  if (!isManifestType(mediaType) && !isIndexType(mediaType)) return undefined;
  if (isDigest(reference) && reference !== digest) return undefined;
  return { mediaType, digest, size };
}

/** Reads and verifies a manifest. Throws `MANIFEST_NOT_FOUND`, `MANIFEST_CORRUPT`, `MANIFEST_INVALID`, `MANIFEST_TOO_LARGE`, `NOT_A_REGISTRY`. */
export async function getManifest(endpoint: Endpoint, question: ManifestQuestion): Promise<FetchedManifest> {
  const { reference, signal } = question;
  const { transport } = endpoint;
  const what = `read manifest "${question.what}"`;
  const scopes = scopesOf(endpoint, question);
  for (let attempt = 1; ; attempt++) {
    await using response = await transport.request({
      method: 'GET',
      url: endpoint.url(`manifests/${reference}`),
      scopes,
      headers: { accept: ACCEPT },
      what,
      signal,
    });
    if (response.status !== 200) {
      throw await failureOf(response, {
        what,
        registry: transport.registry,
        user: await transport.user(scopes),
        missing: 'manifest',
        isRegistry: () => transport.isRegistry({ what, signal }),
      });
    }
    if (isPage(response) && !(await transport.isRegistry({ what, signal })))
      throw notRegistry(what, transport.registry);
    let content: Uint8Array;
    try {
      content = await collectManifest(response.body, `manifest "${question.what}"`);
    } catch (error) {
      if (!isBroken(error) || attempt >= transport.attempts) throw broken(error, what, transport.registry);
      await transport.pause(attempt, question);
      continue;
    }
    const said = response.headers['docker-content-digest'];
    const digest = digestAs(
      content,
      isDigest(reference) ? reference : said !== undefined && isDigest(said) ? said : undefined,
    );
    for (const [expected, who] of [
      [isDigest(reference) ? reference : undefined, 'asked for was'],
      [said !== undefined && isDigest(said) ? said : undefined, 'its server says'],
    ] as const)
      if (expected !== undefined && digestAs(content, expected) !== expected)
        throw registryError(
          'MANIFEST_CORRUPT',
          `${what}: its content has digest ${digestAs(content, expected)}, but ${who} ${expected}`,
          {
            remedy: 'Something between the registry and this machine changes what passes, or the registry is damaged.',
          },
        );
    return {
      content,
      descriptor: { mediaType: typeOf(content, announced(response), what), digest, size: content.length },
    };
  }
}

function scopesOf(endpoint: Endpoint, question: ManifestQuestion): readonly string[] {
  return [question.push ? scopeOf(endpoint.repository, 'pull', 'push') : scopeOf(endpoint.repository, 'pull')];
}

/** The Content-Type without parameters; undefined for types that say nothing. */
function announced(response: RegistryResponse): string | undefined {
  const type = (response.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  return /^$|^text\/|^application\/(json|octet-stream|x-json)$/.test(type) ? undefined : type;
}

/** A web page instead of a manifest. */
function isPage({ headers }: RegistryResponse): boolean {
  return (
    (headers['content-type'] ?? '').includes('text/html') && headers['docker-distribution-api-version'] === undefined
  );
}

/** The media type of a document, which must be what it was announced as (image-spec manifest.md). Types we do not know are left to whoever copies. */
function typeOf(content: Uint8Array, said: string | undefined, what: string): string {
  let own: unknown;
  try {
    own = (JSON.parse(Buffer.from(content).toString()) as { mediaType?: unknown } | null)?.mediaType;
  } catch {
    throw imageError('MANIFEST_INVALID', `${what}: it is not JSON`);
  }
  if (typeof own === 'string' && said !== undefined && own !== said)
    throw imageError('MANIFEST_INVALID', `${what}: it says it is "${own}", but was announced as "${said}"`);
  if (typeof own === 'string') return own;
  if (said !== undefined) return said;
  const parsed = parseManifest(content, { what: what.replace(/^read /, '') });
  return isSchema1Type(parsed.mediaType) ? MEDIA.schema1 : parsed.mediaType;
}

function digestAs(content: Uint8Array, like: Digest | undefined): Digest {
  const digester = new Digester(like === undefined ? 'sha256' : algorithmOf(like));
  digester.update(content);
  return digester.digest();
}

function isBroken(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'HTTP_UNREACHABLE';
}

function broken(error: unknown, what: string, registry: string): unknown {
  if (!isBroken(error)) return error;
  return registryError(
    'REGISTRY_TRUNCATED',
    `${what}: the connection to registry "${registry}" broke in the middle, several times`,
    { cause: error },
  );
}
