import { canonicalJson, type Clock, type Database, type Random, type Wait } from '../base/index.ts';
import { digestOf, type Digest, type DiskBlobStore } from '../blob/index.ts';
import type { ImageSource, LayoutSource, Source, SourceOp } from '../graph/index.ts';
import { encodeConfig, formatPlatform, parseReference, type ImageStore } from '../image/index.ts';
import { lockDigest } from '../packages/index.ts';
import type { RegistryClient } from '../registry/index.ts';
import type { CacheKey, OpRunner, StepContext, StepProgress } from '../solve/index.ts';
import type { BaseMaker } from './base-maker.ts';
import { workerError } from './errors.ts';
import type { GitRunner } from './git/git-runner.ts';
import type { Mirrors } from './git/mirrors.ts';
import type { Downloads } from './http/downloads.ts';
import type { HttpRunner } from './http/http-runner.ts';
import type { FoundImage, ImageFinder } from './image-source.ts';
import { importLayoutImage } from './layout-image.ts';
import { variableParts } from './key-parts.ts';
import { localRunner } from './local-runner.ts';
import { blobsOf, blobsOfImage, chainId, type Ref } from './ref.ts';
import type { Session } from './session.ts';

export interface ResolveOptions extends Wait {
  readonly session: Session;
  readonly onNote: (text: string) => void;
  readonly onProgress: (progress: StepProgress) => void;
}

/** A source pinned; `time` is a commit's or file's own, in seconds. */
export interface ResolvedSource {
  readonly source: SourceOp;
  readonly digest?: Digest | undefined;
  /** Of an image. */
  readonly config?: Uint8Array | undefined;
  readonly time?: number | undefined;
}

export interface SourceRunnerOptions {
  readonly store: DiskBlobStore;
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly scratch: string;
  readonly bases: BaseMaker;
  readonly finder: ImageFinder;
  readonly mirrors: Mirrors;
  readonly downloads: Downloads;
  readonly imagesFor: (session: Session) => ImageStore;
  readonly registry: (session: Session) => RegistryClient;
}

/** What steps begin with: files of the asking side, images, bases of packages, repositories, files of the web. */
export class SourceRunner implements OpRunner<SourceOp, Ref, Session>, AsyncDisposable {
  readonly #o: SourceRunnerOptions;
  /** What a session's image sources were found to be, by name and platform. */
  readonly #found = new WeakMap<Session, Map<string, FoundImage>>();
  #git: Promise<GitRunner> | undefined;
  #http: Promise<HttpRunner> | undefined;

  constructor(o: SourceRunnerOptions) {
    this.#o = o;
  }

  /** Pins a source: asks what it is now, and for an image its configuration. */
  async resolve(asked: SourceOp, o: ResolveOptions): Promise<ResolvedSource> {
    const op = await vetted(asked, o.session);
    const { source } = op;
    if (source.type === 'image') {
      const found = await this.#o.finder.find(source, {
        session: o.session,
        registry: () => this.#o.registry(o.session),
        signal: o.signal,
      });
      this.#remember(o.session, { ...source, reference: found.pinned }, found);
      if (found.from === 'store') o.onNote('found in the local store');
      return {
        source: { kind: 'source', source: { ...source, reference: found.pinned } },
        digest: parseReference(found.pinned).digest as `${string}:${string}`,
        config: found.config,
      };
    }
    if (source.type === 'oci-layout') {
      const { config } = await this.#layoutImage(source, o);
      return { source: op, digest: source.digest, config };
    }
    if (source.type === 'packages') {
      const { pull, ...wanted } = source;
      const { reference, platform } = wanted;
      const lock = await this.#o.bases.lock(reference, {
        platform,
        refresh: pull === 'always',
        signal: o.signal,
        log: o.onNote,
        progress: o.onProgress,
      });
      const digest = lockDigest(lock);
      return {
        source: { kind: 'source', source: { ...wanted, lock: digest } },
        digest,
        config: encodeConfig(this.#o.bases.configOf(lock, { platform, reference })),
      };
    }
    if (source.type === 'git') {
      const { time, ...pinned } = await (await this.#gitRunner()).resolve(source, o);
      return { source: { kind: 'source', source: pinned.source }, time };
    }
    if (source.type === 'http') {
      const { session, signal, onNote } = o;
      const pinned = await (
        await this.#httpRunner()
      ).resolve(source, {
        session,
        signal,
        onNote,
        onBytes: (current, total) =>
          o.onProgress({ item: 'downloading', current, total, unit: 'bytes', done: current === total }),
      });
      return { ...pinned, source: { kind: 'source', source: pinned.source } };
    }
    return { source: op };
  }

  async cacheKey(asked: SourceOp, context: StepContext<Session>): Promise<CacheKey> {
    const { source } = await vetted(asked, context.host);
    switch (source.type) {
      case 'local':
        return localRunner.cacheKey(source, context);
      case 'scratch':
        return { digest: digestOf('scratch'), inputs: [], parts: [], unrecorded: true };
      case 'packages': {
        const { lock } = source;
        if (lock === undefined) throw new TypeError('key a base: its lock is not resolved');
        return {
          digest: await this.#o.bases.keyOf(lock),
          inputs: [],
          parts: [{ name: 'packages', digest: lock, value: source.reference }],
        };
      }
      case 'image':
      case 'oci-layout': {
        const { layers } = await this.#image(source, context);
        const chain = chainId(layers) ?? digestOf('');
        return {
          digest: digestOf(canonicalJson({ image: chain })),
          inputs: [],
          get parts() {
            return [...variableParts(context.vertex), { name: 'image', digest: chain, value: nameOf(source) }];
          },
          unrecorded: true,
        };
      }
      case 'git':
        return (await this.#gitRunner()).cacheKey(source, context);
      case 'http':
        return (await this.#httpRunner()).cacheKey(source, context);
      default:
        throw notSupported(source);
    }
  }

  async run(asked: SourceOp, _inputs: readonly Ref[], context: StepContext<Session>): Promise<readonly Ref[]> {
    const { source } = await vetted(asked, context.host);
    switch (source.type) {
      case 'local':
        return localRunner.run(source, context);
      case 'scratch':
        return [{ kind: 'layers', layers: [] }];
      case 'packages': {
        if (source.lock === undefined) throw new TypeError('make a base: its lock is not resolved');
        const layer = await this.#o.bases.make(this.#o.bases.lockBy(source.lock), {
          signal: context.signal,
          spare: (...digests) => context.host.spare(...digests),
          log: (line) => void context.log('stderr', Buffer.from(`${line}\n`)),
          progress: (progress) => context.progress(progress),
        });
        return [{ kind: 'layers', layers: [layer] }];
      }
      case 'image':
      case 'oci-layout':
        return [{ kind: 'layers', layers: (await this.#image(source, context)).layers }];
      case 'git':
        return (await this.#gitRunner()).run(source, context);
      case 'http':
        return (await this.#httpRunner()).run(source, context);
      default:
        throw notSupported(source);
    }
  }

  /** Loaded once a step asks for it. */
  #gitRunner(): Promise<GitRunner> {
    return (this.#git ??= import('./git/git-runner.ts').then(({ GitRunner }) => new GitRunner(this.#o)));
  }

  #httpRunner(): Promise<HttpRunner> {
    return (this.#http ??= import('./http/http-runner.ts').then(({ HttpRunner }) => new HttpRunner(this.#o)));
  }

  async #image(source: ImageSource | LayoutSource, context: StepContext<Session>): Promise<FoundImage> {
    const layer = source.type === 'image' ? source.layer : undefined;
    const whole = await this.#wholeImage(source, context);
    const found = { ...whole, layers: whole.layers.slice(0, source.layerLimit) };
    if (layer === undefined) return found;
    const layers = found.layers.filter(({ diffId }) => diffId === layer).slice(0, 1);
    if (layers.length === 0)
      throw workerError(
        'IMAGE_NOT_FOUND',
        `find layer "${layer}" of "${sourceKey(source)}": the image has no such layer`,
      );
    return { ...found, layers };
  }

  async #wholeImage(source: ImageSource | LayoutSource, context: StepContext<Session>): Promise<FoundImage> {
    const known = this.#found.get(context.host)?.get(sourceKey(source));
    if (known) return known;
    if (source.type === 'oci-layout')
      return this.#layoutImage(source, { session: context.host, signal: context.signal });
    const found = await this.#o.finder.find(source, {
      session: context.host,
      registry: () => this.#o.registry(context.host),
      signal: context.signal,
    });
    this.#remember(context.host, source, found);
    return found;
  }

  async #layoutImage(source: LayoutSource, o: { session: Session } & Wait): Promise<FoundImage> {
    const blobs = o.session.host.blobs(source.store);
    const record = await importLayoutImage(source, { blobs, images: this.#o.imagesFor(o.session), signal: o.signal });
    o.session.spare(...blobsOfImage(record));
    const found = await this.#o.finder.foundOf(record);
    this.#remember(o.session, source, found);
    return found;
  }

  #remember(session: Session, source: ImageSource | LayoutSource, found: FoundImage): void {
    session.spare(...blobsOf(found.layers));
    const known = this.#found.get(session) ?? new Map<string, FoundImage>();
    this.#found.set(session, known.set(sourceKey(source), found));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#http)?.[Symbol.asyncDispose]();
  }
}

/** A source as the session's build may use it. */
function vetted(op: SourceOp, { vet }: Session): SourceOp | Promise<SourceOp> {
  return vet ? vet(op) : op;
}

function sourceKey(source: ImageSource | LayoutSource): string {
  const name = source.type === 'image' ? source.reference : `${source.store} ${source.digest}`;
  return `${name} ${formatPlatform(source.platform)}`;
}

function nameOf(source: ImageSource | LayoutSource): string {
  return source.type === 'image' ? source.reference : `${source.store}@${source.digest}`;
}

function notSupported(source: Source): Error {
  return workerError('SOURCE_NOT_SUPPORTED', `use a source of type "${source.type}": not supported yet`);
}
