import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Database, hasErrno, messageOf, systemClock, systemRandom, type Clock, type Random } from '../base/index.ts';
import { DiskBlobStore, Leases } from '../blob/index.ts';
import { dockerfileFrontend } from '../frontend/dockerfile/index.ts';
import { ImageStore, type OpenRemote } from '../image/index.ts';
import { RegistryClient } from '../registry/index.ts';
import { compressLayer } from '../tree/index.ts';
import { openGround, Worker, type BaseSettings, type BuildHost, type Session } from '../worker/index.ts';
import { runBuild } from './build.ts';
import type { Engine } from './engine.ts';
import { engineError } from './errors.ts';
import { BaseOperations } from './base-operations.ts';
import { ImageOperations } from './image-operations.ts';
import { StoreOperations } from './store-operations.ts';

export interface EngineOptions {
  /** The store's folder. */
  readonly root: string;
  /** How this program is started again as a keeper, for steps of an ordinary user. */
  readonly keeper: { readonly command: string; readonly args: readonly string[] };
  readonly bases: Omit<BaseSettings, 'cache'>;
  /** Registries that may be spoken to without TLS. */
  readonly insecure?: readonly string[] | undefined;
  /** Run steps with this executor rather than the best. */
  readonly executor?: 'runc' | 'crun' | 'builtin' | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

const FRONTENDS = { dockerfile: dockerfileFrontend };

/** Opens the store and puts every driver together, by hand. Nothing runs and nothing is mounted until a step needs it. */
export async function openEngine(o: EngineOptions): Promise<Engine> {
  const clock = o.clock ?? systemClock;
  const random = o.random ?? systemRandom;
  const scratch = join(o.root, 'tmp');
  try {
    mkdirSync(scratch, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw engineError('STORE_UNUSABLE', `open the store "${o.root}": ${messageOf(error)}`, {
      cause: error,
      remedy: hasErrno(error, 'EACCES', 'EPERM', 'EROFS')
        ? 'Name a folder you may write to with --root or STRAKE_ROOT.'
        : undefined,
    });
  }
  const database = Database.open(join(o.root, 'strake.db'));
  const store = new DiskBlobStore(join(o.root, 'blobs'), { clock, random });
  await store.recover();
  const leases = new Leases(database, { clock });
  const imagesWith = (remote?: OpenRemote): ImageStore =>
    new ImageStore({ db: database, blobs: store, leases, clock, compress: compressLayer, remote });
  const images = imagesWith();
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
    openGround: () =>
      openGround({
        folder: join(o.root, 'ground'),
        database,
        clock,
        random,
        keeper: o.keeper,
        executor: o.executor,
      }),
    connect: (session: Session) =>
      new RegistryClient({
        clock,
        random,
        insecure: [...session.insecure, ...(o.insecure ?? [])],
        credentials: (target, w) =>
          session.host.credentials(
            target.registry,
            target.repository === undefined ? [] : [`repository:${target.repository}:pull`],
            w,
          ),
      }),
  });
  const parts = { worker, frontends: FRONTENDS, clock, random };
  /** A build session for what is no build: moving images, making bases. */
  const sessionFor = (host: Pick<BuildHost, 'credentials'>, insecure: readonly string[] = []): Session => ({
    id: random.hex(16),
    host: { ...NO_HOST, credentials: host.credentials.bind(host) },
    allow: new Set(),
    insecure,
    codecFor: () => undefined,
  });
  const operations = new ImageOperations({ worker, sessionFor, random, scratch });
  return {
    build: (request, host, w) => runBuild(parts, request, host, w),
    images: operations,
    bases: new BaseOperations({ worker, sessionFor, images: operations }),
    store: new StoreOperations({ folder: o.root, worker, database, leases, clock }),
    ground: async (w) => (await worker.stage.ground(w)).report,
    [Symbol.asyncDispose]: async () => {
      await worker[Symbol.asyncDispose]();
      database[Symbol.dispose]();
    },
  };
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
