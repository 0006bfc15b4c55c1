import type { Clock, Database, Random, Wait } from '../base/index.ts';
import type { Digest, DiskBlobStore, Lease, Leases } from '../blob/index.ts';
import { vertex, type Op, type SourceOp } from '../graph/index.ts';
import { hostPlatform, parseReference, type ImageStore, type OpenRemote } from '../image/index.ts';
import type { RegistryClient } from '../registry/index.ts';
import { KeyStore, Solver, type OpRunner, type Solve, type SolveEvent } from '../solve/index.ts';
import { changesBetween, withoutPaths, writeLayer, type TreeView } from '../tree/index.ts';
import { BaseMaker, type BaseLog, type BaseSettings } from './base-maker.ts';
import { Containers } from './containers.ts';
import { workerError } from './errors.ts';
import { ExecRunner } from './exec-runner.ts';
import { FileRunner } from './file-runner.ts';
import { Mirrors } from './git/mirrors.ts';
import { Downloads } from './http/downloads.ts';
import type { Ground, GroundReport } from './ground/index.ts';
import { ImageFinder } from './image-source.ts';
import { CacheService } from './mounts/cache-service.ts';
import { LooseTrees } from './mounts/loose-trees.ts';
import { LayerService, type FetchLayer, type FetchProgress, type LayerAccess } from './layer-service.ts';
import { DiffRunner, MergeRunner } from './merge-runner.ts';
import { PlatformCheck } from './platform-check.ts';
import { blobsOf, layersOf, type Ref, type RefLayer } from './ref.ts';
import { RefResults } from './results.ts';
import { openSession, type Session, type SessionInit } from './session.ts';
import { SourceRunner, type ResolvedSource, type ResolveOptions } from './source-runner.ts';
import { Stage } from './stage.ts';
import { explainFull } from './store-full.ts';
import { watchedBlobs } from './watched-blobs.ts';

export type Solving = Solve<Ref, Session>;

export interface WorkerOptions {
  readonly store: DiskBlobStore;
  readonly database: Database;
  readonly images: ImageStore;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly random: Random;
  /** A folder for temporary files, on the store's file system. */
  readonly scratch: string;
  readonly openGround: () => Promise<Ground>;
  /** Where mirrors of git repositories are kept. */
  readonly mirrors: string;
  /** Where the ground keeps its snapshots. */
  readonly groundFolder?: string | undefined;
  /** The image store as one that fetches layers from registries by the given reader. */
  readonly imagesWith: (remote: OpenRemote) => ImageStore;
  readonly bases: BaseSettings;
  /** A registry client that asks this session's host for credentials. */
  readonly connect: (session: Session) => RegistryClient;
}

const MIGRATIONS = [
  'CREATE TABLE clamped (layer TEXT, epoch INTEGER, result TEXT NOT NULL, PRIMARY KEY (layer, epoch)) STRICT, WITHOUT ROWID;',
];

/** Where ops meet grounds, registries and files: a runner for each kind of op, and the services they share. */
export class Worker implements AsyncDisposable {
  readonly store: DiskBlobStore;
  /** A folder for temporary files, on the store's file system. */
  readonly scratch: string;
  readonly images: ImageStore;
  readonly layers: LayerService;
  readonly stage: Stage;
  readonly caches: CacheService;
  readonly bases: BaseMaker;
  readonly containers: Containers;
  readonly finder: ImageFinder;
  readonly solver: Solver<Ref, Session>;
  readonly keys: KeyStore;
  /** What is kept of git repositories. */
  readonly mirrors: Mirrors;
  /** What is kept of the web. */
  readonly downloads: Downloads;
  readonly #o: WorkerOptions;
  readonly #loose: LooseTrees;
  readonly #sources: SourceRunner;
  readonly #clients = new Map<Session, RegistryClient>();

  constructor(o: WorkerOptions) {
    this.#o = o;
    this.store = o.store;
    this.scratch = o.scratch;
    this.images = o.images;
    o.database.migrate('worker', MIGRATIONS);
    this.layers = new LayerService(o);
    this.stage = new Stage({ ...o, layers: this.layers });
    this.caches = new CacheService({ ...o, stage: this.stage });
    this.bases = new BaseMaker({ ...o, settings: o.bases, stage: this.stage });
    this.finder = new ImageFinder(o);
    this.mirrors = new Mirrors(o.mirrors, o);
    this.downloads = new Downloads(o.database, o.clock);
    this.keys = new KeyStore(o.database, o.clock);
    this.#loose = new LooseTrees({ ...o, stage: this.stage });
    const shared = {
      ...o,
      layers: this.layers,
      fetchFor: (session: Session) => this.fetchFor(session),
      stage: this.stage,
    };
    this.#sources = new SourceRunner({
      ...o,
      bases: this.bases,
      finder: this.finder,
      mirrors: this.mirrors,
      downloads: this.downloads,
      imagesFor: (session) => this.imagesFor(session),
      registry: (session) => this.registry(session),
    });
    const platforms = new PlatformCheck(o);
    this.containers = new Containers({ ...shared, platforms, loose: this.#loose });
    const runners = {
      source: this.#sources,
      exec: new ExecRunner({ ...shared, platforms, loose: this.#loose }),
      file: new FileRunner(shared),
      merge: new MergeRunner(shared),
      diff: new DiffRunner(shared),
    };
    this.solver = new Solver<Ref, Session>({
      ...o,
      keys: this.keys,
      results: new RefResults(this.layers, shared.fetchFor),
      slots: this.stage,
      runnerOf: (op: Op) => {
        if (op.kind === 'pack')
          throw workerError('STEP_NOT_SUPPORTED', `run a step of kind "${op.kind}": not supported yet`);
        return this.#guarded(runners[op.kind]);
      },
    });
  }

  /** Pins a source: asks what it is now, and for an image its configuration. */
  async resolve(op: SourceOp, o: ResolveOptions): Promise<ResolvedSource> {
    return this.#sources.resolve(op, o);
  }

  /** A session of a build, or of what is no build; close it when that ends. */
  openSession(init: SessionInit): Session {
    const session = openSession(init, {
      lease: () => this.lease(),
      end: async () => {
        const client = this.#clients.get(session);
        this.#clients.delete(session);
        await client?.[Symbol.asyncDispose]();
        await this.#loose.end(session);
      },
    });
    return session;
  }

  async viewOf(ref: Ref, o: { session: Session; onProgress?: FetchProgress } & Wait): Promise<TreeView> {
    return this.layers.viewOf(ref, this.access(o.session, o));
  }

  /** How to get at layers with a build's credentials. */
  access(session: Session, o: { onProgress?: FetchProgress | undefined } & Wait = {}): LayerAccess {
    return { fetch: this.fetchFor(session), onProgress: o.onProgress, lost: session.lost, signal: o.signal };
  }

  /** The local images, where layers that are still in a registry are read from there with a build's credentials. */
  imagesFor(session: Session): ImageStore {
    return this.#o.imagesWith((source) => {
      const blobs = this.registry(session).blobs(parseReference(source.reference));
      return session.lost ? watchedBlobs(blobs, session.lost) : blobs;
    });
  }

  /** A base by its lock, found among earlier results or made now. */
  async baseLayer(lock: Digest, o: { session: Session } & BaseLog): Promise<RefLayer> {
    const source = {
      type: 'packages',
      reference: 'packages.local/base',
      platform: hostPlatform(process),
      lock,
    } as const;
    const edge = { vertex: vertex({ kind: 'source', source }, [], { name: 'base' }), output: 0 };
    const emit = (event: SolveEvent): void => {
      if (event.kind === 'log')
        for (const line of Buffer.from(event.chunk).toString().trimEnd().split('\n')) o.log(line);
      if (event.kind === 'progress') o.progress(event.progress);
    };
    await using solving = this.solver.open({ host: o.session, emit, signal: o.signal });
    const [layer] = layersOf(await solving.result(edge));
    if (!layer) throw new TypeError('make a base: it has no layer');
    return layer;
  }

  /** The layer with no modification time later than `epoch` (seconds); the same one where there is none. */
  async clamp(layer: RefLayer, epoch: number, o: { session: Session } & Wait): Promise<RefLayer> {
    const { database } = this.#o;
    const { createdAt } = layer;
    const w = { signal: o.signal };
    const row = database.get('SELECT result FROM clamped WHERE layer = ? AND epoch = ?', layer.diffId, epoch);
    const known = row?.['result'] as RefLayer['diffId'] | undefined;
    if (known !== undefined) o.session.spare(known);
    if (known === layer.diffId) return layer;
    if (known !== undefined && this.store.sizeOf(known) !== undefined) return { diffId: known, createdAt };
    const tree = await this.layers.treeOf(layer, this.access(o.session, w));
    const entries = await tree.entries(w);
    const late = entries.some((entry) => entry.mtime > epoch || (entry.mtime === epoch && entry.mtimeNs > 0));
    const { diffId } = late ? await writeLayer(tree, { store: this.store, dialect: 'oci', epoch, ...w }) : layer;
    o.session.spare(diffId);
    database.run('INSERT OR REPLACE INTO clamped VALUES (?, ?, ?)', layer.diffId, epoch, diffId);
    return late ? { diffId, createdAt } : layer;
  }

  /** The layer without these absolute paths and what is below them; the same one where it holds none. */
  async without(layer: RefLayer, paths: readonly string[], o: { session: Session } & Wait): Promise<RefLayer> {
    const w = { signal: o.signal };
    const tree = await this.layers.treeOf(layer, this.access(o.session, w));
    const kept = await withoutPaths(tree, paths, w);
    if (!kept) return layer;
    const { diffId } = await writeLayer(kept, { store: this.store, dialect: 'oci', ...w });
    o.session.spare(diffId);
    return { diffId, createdAt: layer.createdAt };
  }

  /** What one stack of layers has and another has not, as one layer: the one on top of the other where there is just that. */
  async layerBetween(
    before: readonly RefLayer[],
    after: readonly RefLayer[],
    o: { session: Session; onProgress?: FetchProgress | undefined } & Wait,
  ): Promise<RefLayer> {
    const [only, ...more] = after.slice(before.length);
    if (only && more.length === 0 && before.every((layer, i) => layer.diffId === after[i]?.diffId)) return only;
    const access = this.access(o.session, o);
    const below = await this.layers.viewOf({ kind: 'layers', layers: before }, access);
    const above = await this.layers.viewOf({ kind: 'layers', layers: after }, access);
    const changes = await changesBetween(below, above, o);
    const { diffId } = await writeLayer(changes, { store: this.store, dialect: 'oci', signal: o.signal });
    o.session.spare(diffId);
    const times = after.flatMap(({ createdAt }) => createdAt ?? []);
    return { diffId, createdAt: times.length > 0 ? Math.max(...times) : this.#o.clock.now() };
  }

  /** A registry client that asks for this build's credentials. */
  registry(session: Session): RegistryClient {
    let client = this.#clients.get(session);
    if (!client) {
      client = this.#o.connect(session);
      this.#clients.set(session, client);
    }
    return client;
  }

  fetchFor(session: Session): FetchLayer {
    return async (descriptor, source, o) => {
      const name = parseReference(source);
      const blobs = this.registry(session).blobs(name, { progress: (transfer) => o.onBytes(transfer.bytes) });
      await this.store.put(await blobs.open(descriptor, { signal: o.signal }), {
        mediaType: descriptor.mediaType,
        expect: descriptor,
        signal: o.signal,
      });
    };
  }

  /** Spares what this process reads and writes from sweeps until the scope ends. */
  lease(): Lease {
    return this.#o.leases.take();
  }

  groundReport(): GroundReport | undefined {
    return this.stage.opened?.report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stage[Symbol.asyncDispose]();
    await Promise.all([...this.#clients.values()].map((client) => client[Symbol.asyncDispose]()));
    await this.bases[Symbol.asyncDispose]();
    await this.#sources[Symbol.asyncDispose]();
  }

  /** A runner whose session lasts while it runs, and which spares what it reads and makes from sweeps. */
  #guarded(runner: OpRunner<Op, Ref, Session>): OpRunner<Op, Ref, Session> {
    const layers = (refs: readonly Ref[]): Digest[] =>
      refs.flatMap((ref) => (ref.kind === 'layers' ? blobsOf(ref.layers) : []));
    return {
      cacheKey: (op, context) => runner.cacheKey(op, context),
      run: async (op, inputs, context) => {
        await using held = context.host.hold();
        void held;
        context.host.spare(...layers(inputs));
        try {
          const outputs = await runner.run(op, inputs, context);
          context.host.spare(...layers(outputs));
          return outputs;
        } catch (error) {
          throw explainFull(error, this.store.folder);
        }
      },
    };
  }
}
