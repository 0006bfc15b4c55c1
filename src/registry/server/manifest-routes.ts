import { collect, hasCode, type Bytes } from '../../base/index.ts';
import { algorithmOf, Digester, isDigest, type BlobStore, type Descriptor, type Digest } from '../../blob/index.ts';
import { isForeignLayerType, MANIFEST_LIMIT, MEDIA, parseManifest } from '../../image/index.ts';
import { readDigest } from './blob-routes.ts';
import { Refusal, type Exchange } from './exchange.ts';
import type { ManifestStore, StoredManifest } from './manifest-store.ts';

const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
/** Tags that one PUT by digest may set (distribution-spec end-7b asks for 10 at least). */
const TAGS_AT_ONCE = 100;

export interface ManifestRoutesOptions {
  readonly blobs: BlobStore;
  readonly manifests: ManifestStore;
  /** Without it the referrers API is not there, as at many registries. */
  readonly referrers: boolean;
}

/** Manifests, tags and referrers (distribution-spec end-3, 7 to 9, 12). */
export class ManifestRoutes {
  readonly #o: ManifestRoutesOptions;

  constructor(options: ManifestRoutesOptions) {
    this.#o = options;
  }

  async manifest(exchange: Exchange, repository: string, reference: string): Promise<void> {
    if (!TAG.test(reference)) readDigest(reference);
    if (exchange.method === 'PUT') return this.#put(exchange, repository, reference);
    const { manifests } = this.#o;
    if (exchange.method === 'DELETE') {
      if (!(await manifests.remove(repository, reference))) throw await this.#unknown(repository);
      exchange.answer(202);
      return undefined;
    }
    if (exchange.method !== 'GET' && exchange.method !== 'HEAD')
      throw new Refusal('UNSUPPORTED', 'no such operation on a manifest');
    const manifest = await manifests.get(repository, reference);
    if (!manifest) throw await this.#unknown(repository);
    exchange.response.writeHead(200, {
      'content-type': manifest.mediaType,
      'content-length': manifest.content.length,
      'docker-content-digest': manifest.digest,
      etag: `"${manifest.digest}"`,
    });
    exchange.response.end(exchange.method === 'HEAD' ? undefined : manifest.content);
    return undefined;
  }

  /** Pages by `n` and `last`, with a `Link` to the next. */
  async tags(exchange: Exchange, repository: string): Promise<void> {
    const all = await this.#o.manifests.tags(repository);
    if (!all) throw new Refusal('NAME_UNKNOWN', 'repository name not known to registry');
    const { page, link } = paged(exchange.url, all);
    exchange.answer(200, link, { name: repository, tags: page });
  }

  async catalog(exchange: Exchange): Promise<void> {
    const { page, link } = paged(exchange.url, await this.#o.manifests.repositories());
    exchange.answer(200, link, { repositories: page });
  }

  async referrers(exchange: Exchange, repository: string, subject: string): Promise<void> {
    if (!this.#o.referrers) throw new Refusal('UNSUPPORTED', 'no referrers here', { status: 404 });
    const filter = exchange.url.searchParams.get('artifactType');
    const found = await this.#o.manifests.referrers(repository, readDigest(subject));
    const manifests = found.map(describe).filter(({ artifactType }) => filter === null || artifactType === filter);
    exchange.answer(
      200,
      { 'content-type': MEDIA.ociIndex, ...(filter !== null && { 'oci-filters-applied': 'artifactType' }) },
      { schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests },
    );
  }

  async #put(exchange: Exchange, repository: string, reference: string): Promise<void> {
    const mediaType = (exchange.header('content-type') ?? '').split(';')[0]?.trim() ?? '';
    const content = await collect(exchange.request as Bytes, { limit: MANIFEST_LIMIT }).catch((error: unknown) => {
      if (!hasCode(error, 'TOO_MANY_BYTES')) throw error;
      throw new Refusal('SIZE_INVALID', `a manifest may have ${MANIFEST_LIMIT} bytes`, { status: 413 });
    });
    const asked = isDigest(reference) ? reference : undefined;
    const digester = new Digester(asked ? algorithmOf(asked) : 'sha256');
    digester.update(content);
    const digest = digester.digest();
    if (asked !== undefined && asked !== digest) throw new Refusal('DIGEST_INVALID', 'the content has another digest');
    const { type, subject } = await this.#check(repository, content, mediaType);
    const more = exchange.url.searchParams.getAll('tag');
    if (more.length > TAGS_AT_ONCE)
      throw new Refusal('SIZE_INVALID', `more than ${TAGS_AT_ONCE} tags`, { status: 414 });
    if (!more.every((tag) => TAG.test(tag))) throw new Refusal('MANIFEST_INVALID', 'this is not a tag');
    const tags = [...(asked === undefined ? [reference] : []), ...more];
    await this.#o.manifests.put(repository, { mediaType: type, digest, content }, { tags, subject });
    exchange.response.writeHead(201, {
      location: `/v2/${repository}/manifests/${digest}`,
      'content-length': 0,
      'docker-content-digest': digest,
      ...(subject !== undefined && this.#o.referrers && { 'oci-subject': subject }),
      ...(more.length > 0 && { 'oci-tag': more }),
    });
    exchange.response.end();
  }

  /** What a manifest names must be here, except subjects and layers that are not to be distributed. Kinds of manifest we do not know are kept as they are. */
  async #check(
    repository: string,
    content: Uint8Array,
    mediaType: string,
  ): Promise<{ type: string; subject: Digest | undefined }> {
    try {
      const manifest = parseManifest(content, { mediaType: mediaType === '' ? undefined : mediaType });
      const { manifests } = this.#o;
      const missing: Digest[] = [];
      if (manifest.kind === 'index') {
        for (const { digest } of manifest.manifests)
          if (!(await manifests.get(repository, digest)) && !(await manifests.isLinked(repository, digest)))
            missing.push(digest);
      } else
        for (const { digest, mediaType: type } of [manifest.config, ...manifest.layers])
          if (!isForeignLayerType(type) && !(await manifests.isLinked(repository, digest))) missing.push(digest);
      if (missing.length > 0)
        throw new Refusal('MANIFEST_BLOB_UNKNOWN', `the manifest names what is not here: ${missing.join(', ')}`);
      return { type: manifest.mediaType, subject: manifest.subject?.digest };
    } catch (error) {
      if (
        hasCode(error, 'MANIFEST_UNSUPPORTED') &&
        isObject(content) &&
        mediaType !== '' &&
        !mediaType.includes('manifest.v1+')
      )
        return { type: mediaType, subject: undefined };
      if (error instanceof Refusal) throw error;
      throw new Refusal('MANIFEST_INVALID', error instanceof Error ? error.message : 'manifest invalid');
    }
  }

  async #unknown(repository: string): Promise<Refusal> {
    return (await this.#o.manifests.tags(repository)) === undefined
      ? new Refusal('NAME_UNKNOWN', 'repository name not known to registry')
      : new Refusal('MANIFEST_UNKNOWN', 'manifest unknown');
  }
}

/** The descriptor of a referrer: its artifact type, which may be that of its config, and its annotations (distribution-spec, Listing Referrers). */
function describe(manifest: StoredManifest): Descriptor {
  const parsed = parseManifest(manifest.content, { mediaType: manifest.mediaType });
  const artifactType = parsed.artifactType ?? (parsed.kind === 'image' ? parsed.config.mediaType : undefined);
  return {
    mediaType: manifest.mediaType,
    digest: manifest.digest,
    size: manifest.content.length,
    ...(artifactType !== undefined && { artifactType }),
    ...(parsed.annotations && { annotations: parsed.annotations }),
  };
}

function paged(url: URL, all: readonly string[]): { page: readonly string[]; link: Record<string, string> } {
  const asked = url.searchParams.get('n');
  const n = asked === null ? Number.POSITIVE_INFINITY : Number(asked);
  if (Number.isNaN(n) || n < 0) throw new Refusal('SIZE_INVALID', 'n is not a number');
  const last = url.searchParams.get('last');
  const rest = last === null ? all : all.filter((name) => name > last);
  const page = rest.slice(0, n);
  const end = page.at(-1);
  if (page.length === rest.length || end === undefined) return { page, link: {} };
  return { page, link: { link: `<${url.pathname}?n=${n}&last=${encodeURIComponent(end)}>; rel="next"` } };
}

function isObject(content: Uint8Array): boolean {
  try {
    const value: unknown = JSON.parse(Buffer.from(content).toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
