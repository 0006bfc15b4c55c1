import { join } from 'node:path';
import {
  CodedError,
  Database,
  hasErrno,
  messageOf,
  systemClock,
  systemRandom,
  type Clock,
  type Random,
  makeFolder,
} from '../base/index.ts';
import { DiskBlobStore, Leases } from '../blob/index.ts';
import { dockerfileFrontend } from '../frontend/dockerfile/index.ts';
import type { Frontend } from '../frontend/index.ts';
import { ImageStore, type OpenRemote } from '../image/index.ts';
import { RegistryClient, type RegistrySettings } from '../registry/index.ts';
import { BuildHistory, explainBuild } from '../solve/index.ts';
import { compressLayer } from '../tree/index.ts';
import {
  explainFull,
  openGround,
  Worker,
  type BaseSettings,
  type BuildHost,
  type ContainerdPlace,
  type Ground,
  type GroundName,
  type PlainSettings,
  type Session,
} from '../worker/index.ts';
import { runBuild } from './build.ts';
import { cleanUp } from './clean-up.ts';
import type { Engine } from './engine.ts';
import { compareLocations } from './compare.ts';
import { openContainerRoot } from './container-root.ts';
import { engineError } from './errors.ts';
import { BaseOperations } from './base-operations.ts';
import { ImageOperations } from './image-operations.ts';
import { StoreOperations } from './store-operations.ts';
import { openWorkshop } from './workshop.ts';

export interface EngineOptions {
  /** The store's folder. */
  readonly root: string;
  /** How this program is started again as a keeper, for steps of an ordinary user. */
  readonly keeper: { readonly command: string; readonly args: readonly string[] };
  readonly bases: Omit<BaseSettings, 'cache'>;
  /** Registries that may be spoken to without TLS. */
  readonly insecure?: readonly string[] | undefined;
  /** How registries are reached: mirrors, certificates, attempts. */
  readonly registries?: RegistrySettings | undefined;
  /** Run steps with this executor rather than the best. */
  readonly executor?: 'runc' | 'crun' | 'builtin' | undefined;
  /** No network of steps before one needs it. */
  readonly lateNetwork?: boolean | undefined;
  /** Run steps on this kind of ground rather than the best: with namespaces, in this machine's own root, or by chroot alone. */
  readonly ground?: GroundName | undefined;
  /** For ground `containerd`. */
  readonly containerd?: ContainerdPlace | undefined;
  /** For grounds without namespaces; the store is guarded anyway. */
  readonly plainGround?: PlainSettings | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  /** Further frontends, by the name that a request asks for them. */
  readonly frontends?: Readonly<Record<string, Frontend>> | undefined;
  /** Where steps run, rather than on the best ground that this machine has. */
  readonly openGround?: (() => Promise<Ground>) | undefined;
}

/** Loaded when an application is built: most builds have a Dockerfile. */
const buildpack: Frontend = async (request, host, w) =>
  (await import('../frontend/buildpack/index.ts')).buildpackFrontend(request, host, w);
/** Loaded when a Dockerfile or a client names a frontend that is an image. */
const gateway: Frontend = async (request, host, w) =>
  (await import('../gateway/index.ts')).gatewayFrontend(request, host, w);
const FRONTENDS = { dockerfile: dockerfileFrontend, buildpack, gateway };

/** Opens the store and puts every driver together, by hand. Nothing runs and nothing is mounted until a step needs it. */
export async function openEngine(o: EngineOptions): Promise<Engine> {
  const clock = o.clock ?? systemClock;
  const random = o.random ?? systemRandom;
  const scratch = join(o.root, 'tmp');
  await using opened = new AsyncDisposableStack();
  const database = openStore(o.root, () => {
    makeFolder(scratch, 0o700);
    return opened.use(Database.open(join(o.root, 'strake.db')));
  });
  const store = new DiskBlobStore(join(o.root, 'blobs'), { clock, random });
  await store.recover();
  const leases = openStore(o.root, () => new Leases(database, { clock }));
  await cleanUp({ store, leases, scratch, mirrors: join(o.root, 'git') });
  const imagesWith = (remote?: OpenRemote): ImageStore =>
    new ImageStore({ db: database, blobs: store, leases, clock, compress: compressLayer, remote });
  const images = imagesWith();
  const groundFolder = join(o.root, 'ground');
  const worker = new Worker({
    store,
    database,
    images,
    imagesWith,
    leases,
    clock,
    random,
    scratch,
    bases: { ...o.bases, cache: join(o.root, 'packages') },
    mirrors: join(o.root, 'git'),
    groundFolder,
    openGround:
      o.openGround ??
      (() =>
        openGround({
          folder: groundFolder,
          database,
          clock,
          random,
          keeper: o.keeper,
          executor: o.executor,
          lateNetwork: o.lateNetwork,
          ground: o.ground,
          containerd: o.containerd,
          plain: o.plainGround && { ...o.plainGround, guarded: [o.root, ...(o.plainGround.guarded ?? [])] },
        })),
    connect: (session: Session) =>
      new RegistryClient({
        ...o.registries,
        clock,
        random,
        insecure: [...session.insecure, ...(o.insecure ?? []), ...(o.registries?.insecure ?? [])],
        notice: ({ message }) => session.notice?.(message),
        credentials: (target, w) =>
          session.host.credentials(
            target.registry,
            target.repository === undefined ? [] : [`repository:${target.repository}:pull`],
            w,
          ),
      }),
  });
  opened.use(worker);
  const history = openStore(o.root, () => new BuildHistory(database));
  const parts = { worker, history, frontends: { ...FRONTENDS, ...o.frontends }, clock, random };
  /** A build session for what is no build: moving images, making bases. */
  const sessionFor = (host: Pick<BuildHost, 'credentials'>, insecure: readonly string[] = []): Session =>
    worker.openSession({
      id: random.hex(16),
      host: { ...NO_HOST, credentials: host.credentials.bind(host) },
      allow: new Set(),
      insecure,
      codecFor: () => undefined,
    });
  const operations = new ImageOperations({
    worker,
    sessionFor,
    random,
    scratch,
    solve: (frontend, request, { host, ...w }) =>
      runBuild(
        { ...parts, frontends: { [request.frontend]: frontend } },
        request,
        { ...NO_HOST, credentials: host.credentials.bind(host) },
        w,
      ),
  });
  const scope = opened.move();
  return {
    build: (request, host, w) => runBuild(parts, request, host, w),
    drive: (frontend, request, host, w) =>
      runBuild(
        { ...parts, frontends: { ...parts.frontends, [request.frontend]: frontend }, keepsFailures: true },
        request,
        host,
        w,
      ),
    images: explaining(operations, o.root),
    bases: explaining(new BaseOperations({ worker, sessionFor, images: operations }), o.root),
    store: explaining(new StoreOperations({ folder: o.root, worker, history, database, leases, clock }), o.root),
    builds: {
      list: async () => history.list(),
      explain: async (id) => {
        const build = history.get(id);
        return build && explainBuild(history, build);
      },
    },
    ground: async (w) => (await worker.stage.ground(w)).report,
    compare: (a, b, options) => compareLocations(a, b, { ...options, worker, sessionFor, clock, random, scratch }),
    workshop: (options) => openWorkshop({ ...options, worker, sessionFor, scratch, random }),
    root: (image, options) => openContainerRoot(image, { ...options, worker, sessionFor }),
    dropRoot: (name, w) => worker.stage.release(name, w),
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

/** A service whose methods tell a full disk as what it is. */
function explaining<T extends object>(service: T, root: string): T {
  return new Proxy(service, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        const result: unknown = Reflect.apply(member, target, args);
        if (!(result instanceof Promise)) return result;
        return result.catch((error: unknown) => {
          throw explainFull(error, root);
        });
      };
    },
  });
}

/** Opens a part of the store, and says what is wrong with it where that fails. */
function openStore<T>(root: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw storeError(root, explainFull(error, root));
  }
}

const SQLITE_READONLY = 8;
const SQLITE_CORRUPT = 11;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

function storeError(root: string, error: unknown): unknown {
  if (error instanceof CodedError) return error;
  const what = `open the store "${root}": ${messageOf(error)}`;
  const sqlite = Number((error as { errcode?: unknown }).errcode) & 0xff;
  if (sqlite === SQLITE_CORRUPT || sqlite === SQLITE_NOTADB)
    return engineError(
      'STORE_CORRUPT',
      `open the store "${root}": its database strake.db is damaged (${messageOf(error)})`,
      {
        cause: error,
        remedy:
          'Move strake.db, strake.db-wal and strake.db-shm out of the folder: images and results are forgotten then, what was built can be built again.',
      },
    );
  const denied =
    hasErrno(error, 'EACCES', 'EPERM', 'EROFS') || sqlite === SQLITE_READONLY || sqlite === SQLITE_CANTOPEN;
  if (denied)
    return engineError('STORE_UNUSABLE', what, {
      cause: error,
      remedy: 'Name a folder you may write to with --root or STRAKE_ROOT.',
    });
  if (hasErrno(error, 'ENOTDIR', 'EEXIST'))
    return engineError('STORE_UNUSABLE', what, { cause: error, remedy: 'Name a folder with --root or STRAKE_ROOT.' });
  return error;
}

const refuse = (): never => {
  throw engineError('HOST_ABSENT', 'ask the asking side: nothing was offered for this');
};

const NO_HOST: BuildHost = {
  files: refuse,
  secret: async () => undefined,
  agent: refuse,
  credentials: async () => undefined,
  blobs: refuse,
  sink: refuse,
};
