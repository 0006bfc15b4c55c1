import { collect, type Random, type Wait } from '../base/index.ts';
import type { Descriptor, Digest, Platform } from '../blob/index.ts';
import {
  canonicalReference,
  chooseImage,
  familiarReference,
  hostPlatform,
  openArchive,
  parseConfig,
  parseReference,
  withMediaTypes,
  writeDockerArchive,
  writeOciArchive,
  type Image,
  type ImageRecord,
  type Index,
} from '../image/index.ts';
import type { BuildHost, ByteSink, Session, Worker } from '../worker/index.ts';
import type { Compression } from './builder.ts';
import type { ImageDetails, ImageService, ImageSummary, Location, TransferOptions } from './engine.ts';
import { codecFor } from './export/context.ts';
import { openLocation, writeLocation } from './location.ts';

export type SessionFor = (host: Pick<BuildHost, 'credentials'>, insecure?: readonly string[]) => Session;

/** What is done to images of the local store, and from and to it. */
export class ImageOperations implements ImageService {
  readonly #worker: Worker;
  readonly #sessionFor: SessionFor;
  readonly #random: Random;
  readonly #scratch: string;

  constructor(o: { worker: Worker; sessionFor: SessionFor; random: Random; scratch: string }) {
    this.#worker = o.worker;
    this.#sessionFor = o.sessionFor;
    this.#random = o.random;
    this.#scratch = o.scratch;
  }

  async list(): Promise<readonly ImageSummary[]> {
    return Promise.all(this.#worker.images.list().map(async ({ record }) => this.#summary(record)));
  }

  async inspect(name: string): Promise<ImageDetails> {
    return this.#details(this.#worker.images.resolve(name));
  }

  async tag(source: string, target: string): Promise<void> {
    this.#worker.images.tag(this.#worker.images.resolve(source), canonicalReference(parseReference(target)));
  }

  async remove(name: string): Promise<{ untagged: readonly string[]; deleted: readonly Digest[] }> {
    const { images } = this.#worker;
    const record = images.resolve(name);
    if (this.#isId(name, record)) {
      const untagged = images.namesOf(record).map(familiar);
      images.remove(record);
      return { untagged, deleted: [record.imageId] };
    }
    const { name: gone, removed } = images.untag(name);
    return { untagged: [familiar(gone)], deleted: removed.map((one) => one.imageId) };
  }

  async pull(
    reference: string,
    o: { platform?: Platform | undefined; insecure?: boolean | undefined } & TransferOptions,
  ): Promise<ImageDetails> {
    const session = this.#sessionFor(o.host, o.insecure ? [parseReference(reference).registry] : []);
    await using lease = this.#worker.lease();
    const found = await this.#worker.finder.pull(reference, {
      platform: o.platform ?? hostPlatform(process),
      registry: () => this.#worker.registry(session),
      signal: o.signal,
    });
    lease.add(...found.layers.map((layer) => layer.diffId));
    const access = this.#worker.access(session, {
      signal: o.signal,
      onProgress: (item, current, total) =>
        o.onProgress?.({ item, current, total, done: current >= total ? 'moved' : undefined }),
    });
    for (const layer of found.layers)
      if (layer.compressed && this.#worker.layers.isHere(layer))
        o.onProgress?.({
          item: layer.compressed.digest,
          current: layer.compressed.size,
          total: layer.compressed.size,
          done: 'exists',
        });
    await this.#worker.layers.ensure(found.layers, access);
    return this.inspect(reference);
  }

  async push(
    name: string,
    target: string,
    o: { insecure?: boolean | undefined; compression?: Compression | undefined } & TransferOptions,
  ): Promise<Descriptor> {
    const record = this.#worker.images.resolve(name);
    return this.#pushValue(this.#open(record, o), target, o);
  }

  async save(
    names: readonly string[],
    sink: ByteSink,
    o: { format: 'oci' | 'docker'; compression?: Compression | undefined } & Wait,
  ): Promise<void> {
    const items = names.map((name) => {
      const record = this.#worker.images.resolve(name);
      const image = this.#open(record, { compression: o.compression, host: NOBODY });
      const named = this.#isId(name, record) ? [] : [canonicalReference(parseReference(name))];
      return { image: o.format === 'docker' ? withMediaTypes(image, 'docker') : image, names: named };
    });
    const write = o.format === 'docker' ? writeDockerArchive : writeOciArchive;
    await write(items, (chunk) => sink.write(chunk), o);
  }

  async load(path: string, w: Wait = {}): Promise<readonly ImageSummary[]> {
    using bundle = await openLocation(path, { temp: this.#scratch, random: this.#random, ...w });
    const loaded: ImageSummary[] = [];
    for (const one of bundle.images) {
      const value = await one.open();
      const { image } = await chooseImage(value, hostPlatform(process), { what: path, signal: w.signal });
      const record = await this.#worker.images.import([...one.names], image, {
        index: value.kind === 'index' ? value : undefined,
        keepManifest: bundle.kind !== 'docker-archive',
        signal: w.signal,
      });
      loaded.push(await this.#summary(record));
    }
    return loaded;
  }

  async copy(
    from: Location,
    to: Location,
    o: { platform?: Platform | undefined; insecure?: boolean | undefined } & TransferOptions,
  ): Promise<Descriptor> {
    const insecure = o.insecure ? [from, to].flatMap((place) => registryOf(place) ?? []) : [];
    const session = this.#sessionFor(o.host, insecure);
    const shared = {
      client: this.#worker.registry(session),
      images: this.#worker.images,
      open: (record: ImageRecord) => this.#worker.imagesFor(session).open(record, { codec: codecFor(undefined) }),
      temp: this.#scratch,
      random: this.#random,
      onProgress: o.onProgress,
      signal: o.signal,
    };
    using source = await openLocation(from, shared);
    const value = await source.image();
    const chosen = o.platform ? (await chooseImage(value, o.platform, { what: from, signal: o.signal })).image : value;
    return writeLocation(to, chosen, shared);
  }

  #open(
    record: ImageRecord,
    o: { compression?: Compression | undefined; host: Pick<BuildHost, 'credentials'> } & Wait,
  ): Image {
    return this.#worker.imagesFor(this.#sessionFor(o.host)).open(record, { codec: codecFor(o.compression) });
  }

  async #pushValue(
    value: Image | Index,
    target: string,
    o: { insecure?: boolean | undefined } & TransferOptions,
  ): Promise<Descriptor> {
    const reference = parseReference(target);
    const client = this.#worker.registry(this.#sessionFor(o.host, o.insecure ? [reference.registry] : []));
    return client.push(value, reference, {
      signal: o.signal,
      progress: ({ descriptor, bytes, state }) =>
        o.onProgress?.({
          item: descriptor.digest,
          current: bytes,
          total: descriptor.size,
          done: state === 'running' ? undefined : state === 'done' ? 'moved' : state,
        }),
    });
  }

  #isId(name: string, record: ImageRecord): boolean {
    return (
      /^(sha256:)?[0-9a-f]{3,64}$/.test(name) &&
      record.imageId.includes(name.replace('sha256:', '')) &&
      !this.#worker.images.namesOf(record).some((one) => familiar(one) === name)
    );
  }

  async #summary(record: ImageRecord): Promise<ImageSummary> {
    const config = parseConfig(await collect(await this.#worker.store.open(record.config)));
    const created = config.created === undefined ? Number.NaN : Date.parse(config.created);
    const sizes = record.layers.map(
      (layer) => this.#worker.store.sizeOf(layer.diffId) ?? layer.compressed?.size ?? layer.size ?? 0,
    );
    return {
      names: this.#worker.images.namesOf(record).map(familiar),
      id: record.imageId,
      manifestDigest: record.manifest?.digest,
      platform: record.platform,
      createdAt: Number.isNaN(created) ? undefined : created,
      size: sizes.reduce((sum, size) => sum + size, 0),
    };
  }

  async #details(record: ImageRecord): Promise<ImageDetails> {
    const { store } = this.#worker;
    const config = parseConfig(await collect(await store.open(record.config)));
    const manifest: unknown = record.manifest
      ? JSON.parse(Buffer.from(await collect(await store.open(record.manifest))).toString())
      : undefined;
    return {
      ...(await this.#summary(record)),
      config,
      layers: record.layers.map(({ diffId, compressed }) => ({ diffId, size: store.sizeOf(diffId), compressed })),
      manifest,
    };
  }
}

const NOBODY: Pick<BuildHost, 'credentials'> = { credentials: async () => undefined };

function familiar(name: string): string {
  return familiarReference(parseReference(name));
}

function registryOf(place: Location): string | undefined {
  return place.startsWith('docker://') ? parseReference(place.slice('docker://'.length)).registry : undefined;
}
