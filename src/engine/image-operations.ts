import { collect, type Random, type Wait } from '../base/index.ts';
import type { Descriptor, Digest, Platform } from '../blob/index.ts';
import {
  canonicalReference,
  chooseImage,
  familiarReference,
  hostPlatform,
  parseConfig,
  parseReference,
  makeIndex,
  withMediaTypes,
  writeDockerArchive,
  writeOciArchive,
  type Image,
  type ImageConfig,
  type ImageRecord,
  type Index,
  type IndexMember,
} from '../image/index.ts';
import type { Frontend } from '../frontend/index.ts';
import { blobsOfImage, type BuildHost, type ByteSink, type Session, type Worker } from '../worker/index.ts';
import type { BuildEvent, BuildRequest, ImageMetadata } from './builder.ts';
import type { Compression } from './compression.ts';
import type {
  ImageDetails,
  ImageService,
  ImageSummary,
  Location,
  RebaseOptions,
  RebaseResult,
  TransferOptions,
} from './image-service.ts';
import { codecFor } from './export/context.ts';
import { openLocation, writeLocation } from './location.ts';
import { pushProgress } from './push-progress.ts';

export type SessionFor = (host: Pick<BuildHost, 'credentials'>, insecure?: readonly string[]) => Session;

/** A build of what a frontend of the engine's own plans. */
export type SolvePlan = (
  frontend: Frontend,
  request: BuildRequest & ImageMetadata,
  o: { host: Pick<BuildHost, 'credentials'> } & Wait,
) => AsyncIterable<BuildEvent>;

/** What is done to images of the local store, and from and to it. */
export class ImageOperations implements ImageService {
  readonly #worker: Worker;
  readonly #sessionFor: SessionFor;
  readonly #random: Random;
  readonly #scratch: string;
  readonly #solve: SolvePlan;

  constructor(o: { worker: Worker; sessionFor: SessionFor; random: Random; scratch: string; solve: SolvePlan }) {
    this.#solve = o.solve;
    this.#worker = o.worker;
    this.#sessionFor = o.sessionFor;
    this.#random = o.random;
    this.#scratch = o.scratch;
  }

  async list(): Promise<readonly ImageSummary[]> {
    return Promise.all(this.#worker.images.list().map(async ({ record }) => this.#summary(record)));
  }

  async inspect(name: string, { platform }: { platform?: Platform | undefined } = {}): Promise<ImageDetails> {
    return this.#details(this.#worker.images.resolve(name, { platform, prefer: hostPlatform(process) }));
  }

  async tag(source: string, target: string): Promise<void> {
    const { images } = this.#worker;
    images.put([canonicalReference(parseReference(target))], images.resolveAll(source));
  }

  async remove(name: string): Promise<{ untagged: readonly string[]; deleted: readonly Digest[] }> {
    const { images } = this.#worker;
    const record = images.resolve(name, { prefer: hostPlatform(process) });
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
    const { finder, images, layers } = this.#worker;
    await using session = this.#sessionFor(o.host, o.insecure ? [parseReference(reference).registry] : []);
    const record = await finder.fetch(reference, {
      platform: o.platform ?? hostPlatform(process),
      session,
      registry: () => this.#worker.registry(session),
      signal: o.signal,
    });
    const { layers: wanted } = await finder.foundOf(record);
    const access = this.#worker.access(session, {
      signal: o.signal,
      onProgress: (item, current, total) =>
        o.onProgress?.({ item, current, total, done: current >= total ? 'moved' : undefined }),
    });
    for (const layer of wanted)
      if (layer.compressed && layers.isHere(layer))
        o.onProgress?.({
          item: layer.compressed.digest,
          current: layer.compressed.size,
          total: layer.compressed.size,
          done: 'exists',
        });
    try {
      await layers.ensure(wanted, access);
    } catch (error) {
      if (images.namesOf(record).length === 0) images.remove(record);
      throw error;
    }
    // Only now: a name leads to what it led to before for as long as the new image is not here.
    images.put([canonicalReference(parseReference(reference))], record);
    return await this.#details(record);
  }

  async push(
    name: string,
    target: string,
    o: { insecure?: boolean | undefined; compression?: Compression | undefined } & TransferOptions,
  ): Promise<Descriptor> {
    const records = this.#worker.images.resolveAll(name);
    const reference = parseReference(target);
    await using session = this.#sessionFor(o.host, o.insecure ? [reference.registry] : []);
    const names = [canonicalReference(reference)];
    const value = await this.#open(records, session, { ...o, names });
    return await this.#worker.registry(session).push(value, reference, {
      signal: o.signal,
      progress: pushProgress(o),
    });
  }

  async save(
    names: readonly string[],
    sink: ByteSink,
    o: {
      format: 'oci' | 'docker';
      compression?: Compression | undefined;
      host?: Pick<BuildHost, 'credentials'> | undefined;
    } & Wait,
  ): Promise<void> {
    await using session = this.#sessionFor(o.host ?? NOBODY);
    const itemOf = async (name: string) => {
      const { images } = this.#worker;
      const record = images.resolve(name, { prefer: hostPlatform(process) });
      const named = this.#isId(name, record) ? [] : [canonicalReference(parseReference(name))];
      // Docker's archive holds one platform.
      const image =
        o.format === 'docker'
          ? withMediaTypes(this.#openOne(record, session, o.compression), 'docker')
          : await this.#open(images.resolveAll(name), session, { ...o, names: named });
      return { image, names: named };
    };
    const items = [];
    for (const name of names) items.push(await itemOf(name));
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
    await using session = this.#sessionFor(o.host, insecure);
    const shared = {
      client: this.#worker.registry(session),
      images: this.#worker.images,
      open: (records: readonly ImageRecord[]) => this.#open(records, session, { names: [], signal: o.signal }),
      temp: this.#scratch,
      random: this.#random,
      onProgress: o.onProgress,
      signal: o.signal,
    };
    using source = await openLocation(from, shared);
    const value = await source.image();
    const chosen = o.platform ? (await chooseImage(value, o.platform, { what: from, signal: o.signal })).image : value;
    // Awaited here: the source must be open until then.
    return await writeLocation(to, chosen, shared);
  }

  async rebase(target: string, o: RebaseOptions): Promise<RebaseResult> {
    const { rebaseInRegistry, rebaseInStore } = await import('./rebase-operation.ts');
    await using session = this.#sessionFor(o.host);
    const context = { ...o, worker: this.#worker, session, solve: this.#solve };
    return await (o.publish ? rebaseInRegistry(target, context) : rebaseInStore(target, context));
  }

  /** An image as a value, or the index of one for several platforms, or of one that something is said about. */
  async #open(
    records: readonly ImageRecord[],
    session: Session,
    o: { readonly compression?: Compression | undefined; readonly names: readonly string[] } & Wait,
  ): Promise<Image | Index> {
    const images = records.map((record) => this.#openOne(record, session, o.compression));
    const [only] = images;
    const says = records.some(({ statements = [] }) => statements.length > 0);
    if (only && images.length === 1 && !says) return only;
    const members: IndexMember[] = images.map((image, at) => ({ image, platform: records[at]?.platform }));
    const mediaTypes = records[0]?.mediaTypes ?? 'oci';
    if (!says) return makeIndex(members, { mediaTypes });
    const { attestationMember } = await import('../supply/index.ts');
    for (const [at, { platform, statements = [] }] of records.entries()) {
      const image = images[at];
      if (!image || statements.length === 0) continue;
      const read = await Promise.all(
        statements.map(async ({ predicate, ...statement }) => ({
          ...statement,
          predicate: await collect(await this.#worker.store.open(predicate, o)),
        })),
      );
      members.push(await attestationMember(image, { ...o, platform, statements: read }));
    }
    return makeIndex(members, { mediaTypes });
  }

  /** Spared from sweeps while the session lasts. */
  #openOne(record: ImageRecord, session: Session, compression: Compression | undefined): Image {
    session.spare(...blobsOfImage(record));
    return this.#worker.imagesFor(session).open(record, { codec: codecFor(compression) });
  }

  #isId(name: string, record: ImageRecord): boolean {
    return (
      /^(sha256:)?[0-9a-f]{3,64}$/.test(name) &&
      record.imageId.includes(name.replace('sha256:', '')) &&
      !this.#worker.images.namesOf(record).some((one) => familiar(one) === name)
    );
  }

  async #summary(record: ImageRecord): Promise<ImageSummary> {
    return this.#summaryOf(record, await this.#config(record).catch(() => undefined));
  }

  /** An image whose config has been lost is still listed: it can be removed by its name. */
  #summaryOf(record: ImageRecord, config: ImageConfig | undefined): ImageSummary {
    const created = config?.created === undefined ? Number.NaN : Date.parse(config.created);
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
    const config = await this.#config(record);
    const manifest: unknown = record.manifest
      ? JSON.parse(Buffer.from(await collect(await store.open(record.manifest))).toString())
      : undefined;
    return {
      ...this.#summaryOf(record, config),
      config,
      layers: record.layers.map(({ diffId, compressed }) => ({ diffId, size: store.sizeOf(diffId), compressed })),
      manifest,
    };
  }

  async #config(record: ImageRecord): Promise<ImageConfig> {
    return parseConfig(await collect(await this.#worker.store.open(record.config)));
  }
}

const NOBODY: Pick<BuildHost, 'credentials'> = { credentials: async () => undefined };

function familiar(name: string): string {
  return familiarReference(parseReference(name));
}

function registryOf(place: Location): string | undefined {
  return place.startsWith('docker://') ? parseReference(place.slice('docker://'.length)).registry : undefined;
}
