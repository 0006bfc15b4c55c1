import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { collect, fileBytes, HttpClient, type Random, type Wait } from '../../../base/index.ts';
import type { Digest, DiskBlobStore } from '../../../blob/index.ts';
import {
  encodeConfig,
  encodeManifest,
  canonicalReference,
  configOf,
  makeImage,
  MEDIA,
  openArchive,
  parseReference,
  type Archive,
  type Image,
  type ImageConfig,
  type Layer,
} from '../../../image/index.ts';
import { digestOf } from '../../../blob/index.ts';
import { lifecycleError } from '../errors.ts';
import type { DaemonConnection } from './daemon-connection.ts';
import { configOfInspect, type Inspected } from './daemon-config.ts';
import { DaemonLayer } from './daemon-layer.ts';
import type { Images, OpenImage, SavedImage } from './images.ts';

interface Options {
  readonly connection: DaemonConnection;
  readonly random: Random;
  /** A folder for what is fetched. */
  readonly scratch: () => string;
  readonly store: () => Promise<DiskBlobStore>;
  /** A folder with tars of layers of earlier images (-launch-cache). */
  readonly launchCache?: string | undefined;
}

/**
 * Images in a Docker or Podman daemon, by its API (platform.md, -daemon). What is asked of an image is answered by the daemon; layers are fetched, all of an image at once, only when one is wanted that the launch cache does not have, and
 * what the daemon has already is not sent to it.
 */
export class DaemonImages implements Images, AsyncDisposable {
  readonly #o: Options;
  readonly #http: HttpClient;
  readonly #stack = new AsyncDisposableStack();
  readonly #archives = new Map<string, Promise<Archive>>();
  #saved: { readonly image: Image; readonly id: string } | undefined;
  #files = 0;

  constructor(o: Options) {
    this.#o = o;
    this.#http = this.#stack.use(new HttpClient(o.connection));
  }

  async open(name: string, w: Wait = {}): Promise<OpenImage> {
    const found = await this.#json<Inspected>(`/images/${encodeURIComponent(daemonName(name))}/json`, w);
    if (!found)
      throw lifecycleError('LIFECYCLE_IMAGE_MISSING', `open the image "${name}": the daemon has none of this name`, {
        remedy: 'Pull it, or check the name.',
      });
    const history = await this.#json(`/images/${encodeURIComponent(found.Id)}/history`, w);
    const config = configOfInspect(found, history);
    const layers = config.rootfs.diff_ids.map(
      (diffId) => new DaemonLayer(diffId, { find: (wait) => this.#find(found.Id, diffId, wait), store: this.#o.store }),
    );
    return {
      image: imageOf(config, layers),
      config,
      digest: found.Id as Digest,
      reference: found.Id,
      labels: config.config?.Labels ?? {},
      layer: async (diffId) => layers.find(({ id }) => id === diffId),
    };
  }

  /** Whoever may speak to a daemon may write to it. */
  async checkWrite(): Promise<void> {}

  async save(image: Image, o: { readonly name: string } & Wait): Promise<SavedImage> {
    const { signal } = o;
    const { registry, repository, tag = 'latest' } = parseReference(o.name);
    if (this.#saved?.image === image) {
      const query = new URLSearchParams({ repo: `${registry}/${repository}`, tag });
      await this.#ask('POST', `/images/${encodeURIComponent(this.#saved.id)}/tag?${query}`, { signal });
    } else {
      const { loadIntoDaemon } = await import('../../../engine/index.ts');
      const config = await configOf(image, o);
      const layers = await image.layers(o);
      await loadIntoDaemon(this.#http, {
        names: [o.name],
        diffIds: config.rootfs.diff_ids,
        image: async (held) => makeImage({ config, layers: await sendable(layers, held, o), mediaTypes: 'docker' }),
        signal,
      });
    }
    const found = await this.#json<Inspected>(`/images/${encodeURIComponent(daemonName(o.name))}/json`, o);
    if (!found) throw failed(`save image "${o.name}": the daemon does not have it afterwards`);
    this.#saved = { image, id: found.Id };
    return { shown: found.Id.replace(/^sha256:/, '').slice(0, 12), report: { imageId: found.Id } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }

  /** A layer with its content. */
  async #find(id: string, diffId: Digest, w?: Wait): Promise<Layer> {
    const path = join(this.#o.launchCache ?? '', 'committed', `${diffId}.tar`);
    if (this.#o.launchCache !== undefined && existsSync(path)) {
      const open = async (wait?: Wait): ReturnType<Layer['uncompressed']> => fileBytes(path, wait);
      return {
        descriptor: async () => ({ mediaType: MEDIA.ociLayer, digest: diffId, size: 0 }),
        diffId: async () => diffId,
        compressed: open,
        uncompressed: open,
      };
    }
    let archive = this.#archives.get(id);
    if (!archive) this.#archives.set(id, (archive = this.#fetch(id, w)));
    const image = await (await archive).images[0]?.open();
    const layers = image?.kind === 'image' ? await image.layers(w) : [];
    for (const layer of layers) if ((await layer.diffId(w)) === diffId) return layer;
    throw failed(`read layer ${diffId} of image ${id}: what the daemon saves does not have it`);
  }

  async #fetch(id: string, w: Wait = {}): Promise<Archive> {
    const answer = await this.#request('GET', `/images/${encodeURIComponent(id)}/get`, w);
    if (answer.status !== 200) throw failed(`fetch image ${id}: HTTP status ${answer.status}`);
    const { random } = this.#o;
    const temp = join(this.#o.scratch(), `image-${this.#files++}`);
    const archive = await openArchive(answer.body, { temp: this.#o.scratch(), random, what: temp, signal: w.signal });
    this.#stack.use(archive);
    return archive;
  }

  /** Undefined where the daemon has no such thing. */
  async #json<T = unknown>(path: string, w: Wait): Promise<T | undefined> {
    const text = await this.#ask('GET', path, w);
    return text === undefined ? undefined : (JSON.parse(text) as T);
  }

  async #ask(method: 'GET' | 'POST', path: string, w: Wait): Promise<string | undefined> {
    const answer = await this.#request(method, path, w);
    const text = Buffer.from(await collect(answer.body, { limit: 64 << 20 })).toString();
    if (answer.status === 404) return undefined;
    if (answer.status >= 300) throw failed(`ask the daemon for ${path}: HTTP status ${answer.status}: ${text.trim()}`);
    return text;
  }

  #request(method: 'GET' | 'POST', path: string, { signal }: Wait): ReturnType<HttpClient['request']> {
    return this.#http.request({ method, url: `http://daemon${path}`, idleTimeout: 3_600_000, signal });
  }
}

/** An image whose manifest says no sizes: nobody but the daemon ever had it. */
function imageOf(config: ImageConfig, layers: readonly Layer[]): Image {
  const bytes = encodeConfig(config);
  const manifest = encodeManifest({
    kind: 'image',
    mediaType: MEDIA.dockerManifest,
    config: { mediaType: MEDIA.dockerConfig, digest: digestOf(bytes), size: bytes.length },
    layers: config.rootfs.diff_ids.map((digest) => ({ mediaType: MEDIA.dockerLayer, digest, size: 0 })),
  });
  return { kind: 'image', manifest: async () => manifest, config: async () => bytes, layers: async () => layers };
}

/** Of the lowest layers, which the daemon has, the names; of all others the content. One that is there twice is sent. */
async function sendable(layers: readonly Layer[], held: number, w: Wait): Promise<readonly Layer[]> {
  const ids = await Promise.all(layers.map((layer) => layer.diffId(w)));
  const needed = new Set(ids.slice(held));
  const found: Layer[] = [];
  for (const [at, layer] of layers.entries()) {
    const isHeld = at < held && !needed.has(ids[at]!);
    found.push(layer instanceof DaemonLayer ? (isHeld ? layer.named() : await layer.whole(w)) : layer);
  }
  return found;
}

/** An image ID as it is, a name in full: Podman has more registries than one for what is short. */
function daemonName(name: string): string {
  return /^(?:sha256:)?[0-9a-f]{64}$/.test(name) ? name : canonicalReference(parseReference(name));
}

function failed(message: string): Error {
  return lifecycleError('LIFECYCLE_DAEMON_FAILED', message);
}
