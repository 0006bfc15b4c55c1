import {
  canonicalJson,
  HttpClient,
  Lazy,
  messageOf,
  tempFolder,
  type Clock,
  type Database,
  type Json,
  type Random,
  type Wait,
} from '../base/index.ts';
import { digestOf, type Digest, type DiskBlobStore, type Platform } from '../blob/index.ts';
import type { ImageConfig } from '../image/index.ts';
import {
  baseTree,
  cleaned,
  configureSteps,
  debianArchitecture,
  fetchPackages,
  formatLock,
  lockDigest,
  mirrorLogins,
  parseBaseReference,
  parseLock,
  resolveBase,
  type AptConfig,
  type BaseRequest,
  type Lock,
} from '../packages/index.ts';
import type { StepProgress } from '../solve/index.ts';
import { openLayer, unionOf, viewTree, writeLayer, type FileTree } from '../tree/index.ts';
import { workerError } from './errors.ts';
import type { Ground } from './ground/index.ts';
import type { RefLayer } from './ref.ts';

/** What the machine and the asking side say about bases. */
export interface BaseSettings {
  /** apt's configuration of this machine. Read when first needed. */
  readonly apt: () => Promise<AptConfig>;
  /** `[bases]` of strake.toml. */
  readonly named: ReadonlyMap<string, BaseRequest>;
  readonly mirror?: string | undefined;
  readonly keyring?: string | undefined;
  /** Folder for package indexes. */
  readonly cache: string;
}

export interface BaseLog extends Wait {
  log(line: string): void;
  progress(progress: StepProgress): void;
}

const MIGRATIONS = [
  `CREATE TABLE locks (digest TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE resolved_bases (reference TEXT, request TEXT, lock TEXT NOT NULL REFERENCES locks (digest), created_at INTEGER NOT NULL, PRIMARY KEY (reference, request)) STRICT, WITHOUT ROWID;`,
];

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Changes whenever the same lock would give other bytes. */
const MAKER = 1;

/** Makes bases from Debian packages: resolves what they consist of, once, into a lock, and turns a lock into one layer, the same bytes wherever that happens. */
export class BaseMaker {
  readonly #o: {
    store: DiskBlobStore;
    database: Database;
    clock: Clock;
    random: Random;
    scratch: string;
    settings: BaseSettings;
    ground: (w?: Wait) => Promise<Ground>;
  };
  readonly #http = new Lazy(async () => new HttpClient());

  constructor(o: {
    store: DiskBlobStore;
    database: Database;
    clock: Clock;
    random: Random;
    scratch: string;
    settings: BaseSettings;
    ground: (w?: Wait) => Promise<Ground>;
  }) {
    this.#o = o;
    o.database.migrate('bases', MIGRATIONS);
  }

  /** What a reference asks for, with this build's own additions. */
  requestOf(reference: string, extra: { packages?: readonly string[] | undefined } = {}): BaseRequest {
    const { named, mirror } = this.#o.settings;
    const request = parseBaseReference(reference, named);
    const packages = [...new Set([...request.packages, ...(extra.packages ?? [])])];
    return { ...request, packages, mirror: mirror ?? request.mirror };
  }

  /** The lock of a base: the one known here, unless it is to be refreshed; else resolved now and remembered. */
  async lock(
    reference: string,
    o: { platform: Platform; refresh: boolean; request?: BaseRequest | undefined } & BaseLog,
  ): Promise<Lock> {
    const request = o.request ?? this.requestOf(reference);
    const architecture = debianArchitecture(o.platform);
    const key = canonicalJson({ request: request as unknown as Json, architecture });
    const { database } = this.#o;
    const known = o.refresh
      ? undefined
      : database.get(
          'SELECT text FROM resolved_bases JOIN locks ON locks.digest = lock WHERE reference = ? AND request = ?',
          reference,
          key,
        );
    if (typeof known?.['text'] === 'string') return parseLock(known['text'], reference);
    const { settings, scratch, clock, random } = this.#o;
    const lock = await resolveBase(request, {
      http: await this.#http.get(),
      config: await settings.apt(),
      architecture,
      cache: settings.cache,
      scratch,
      clock,
      random,
      keyring: settings.keyring,
      signal: o.signal,
      onProgress: (event) => {
        if (event.kind === 'release')
          o.log(`${event.suite}: signed by ${event.signers.join(', ') || 'nobody, and trusted by apt'}`);
        else if (event.kind === 'index')
          o.progress({ item: `${event.suite} index`, current: event.bytes, unit: 'bytes' });
      },
    });
    this.remember(lock, { reference, key });
    return lock;
  }

  /** Keeps a lock, and what it is the answer to. */
  remember(lock: Lock, o: { reference: string; key?: string }): Digest {
    const { database, clock } = this.#o;
    const digest = lockDigest(lock);
    database.transaction(() => {
      database.run('INSERT OR REPLACE INTO locks VALUES (?, ?)', digest, formatLock(lock));
      database.run(
        'INSERT OR REPLACE INTO resolved_bases VALUES (?, ?, ?, ?)',
        o.reference,
        o.key ?? 'lock',
        digest,
        clock.now(),
      );
    });
    return digest;
  }

  /** A lock that `lock` or `remember` has seen, by its digest. */
  lockBy(digest: Digest): Lock {
    const row = this.#o.database.get('SELECT text FROM locks WHERE digest = ?', digest);
    if (typeof row?.['text'] !== 'string')
      throw workerError('IMAGE_NOT_FOUND', `make a base: its lock ${digest} is not known here`);
    return parseLock(row['text'], digest);
  }

  list(): readonly { reference: string; lock: Digest; createdAt: number; packages: number }[] {
    return this.#o.database
      .all(
        'SELECT reference, lock, created_at, text FROM resolved_bases JOIN locks ON locks.digest = lock ORDER BY reference, created_at',
      )
      .map((row) => ({
        reference: row['reference'] as string,
        lock: row['lock'] as Digest,
        createdAt: row['created_at'] as number,
        packages: parseLock(row['text'] as string, row['reference'] as string).packages.length,
      }));
  }

  /** The configuration of the base's image. Its times are the lock's. */
  configOf(lock: Lock, o: { platform: Platform; reference: string }): ImageConfig {
    const created = new Date(lock.epoch * 1000).toISOString().replace('.000Z', 'Z');
    return {
      created,
      architecture: o.platform.architecture,
      ...(o.platform.variant === undefined ? {} : { variant: o.platform.variant }),
      os: o.platform.os,
      config: { Env: [PATH], Cmd: ['bash'] },
      rootfs: { type: 'layers', diff_ids: [] },
      history: [
        {
          created,
          created_by: `strake base ${o.reference} # ${lock.packages.length} packages`,
          comment: 'strake.packages.v1',
        },
      ],
    };
  }

  /** What the layer of a lock depends on, besides the lock. */
  async keyOf(digest: Digest): Promise<Digest> {
    return digestOf(canonicalJson({ packages: digest, maker: MAKER }));
  }

  /** The base as one layer. Packages are fetched, unpacked and configured in the sandbox, and what differs from one making to the next is cleaned away. */
  async make(lock: Lock, o: BaseLog): Promise<RefLayer> {
    const { store, settings, scratch, random } = this.#o;
    let bytes = 0;
    await fetchPackages(lock, {
      blobs: store,
      http: await this.#http.get(),
      logins: mirrorLogins(await settings.apt(), settings.mirror),
      signal: o.signal,
      onProgress: (event) => {
        if (event.kind === 'start') o.log(`fetching ${event.packages} packages, ${Math.ceil(event.bytes / 1e6)} MB`);
        else if (event.kind === 'bytes')
          o.progress({ item: 'packages', current: (bytes += event.bytes), unit: 'bytes' });
      },
    });
    const ground = await this.#o.ground(o);
    const mode = ground.report.ids === 'single' ? 'extract' : 'scripts';
    using folder = tempFolder(scratch, random);
    using tree = await baseTree(lock, { blobs: store, scratch: folder.path, random, mode, signal: o.signal });
    if (mode === 'extract') {
      o.log(
        'there is one user id only here: maintainer scripts are not run, what they would have made is made as far as possible',
      );
      const { diffId } = await writeLayer(cleaned(tree, lock), {
        store,
        dialect: 'oci',
        epoch: lock.epoch,
        signal: o.signal,
      });
      return { diffId };
    }
    return await this.#configure(tree, lock, { ...o, ground });
  }

  /** Runs the maintainer scripts on a snapshot of the unpacked tree and takes the outcome as one layer. */
  async #configure(tree: FileTree, lock: Lock, o: { ground: Ground } & BaseLog): Promise<RefLayer> {
    const { store, random } = this.#o;
    const { snapshotter, executor } = o.ground;
    const unpacked = await writeLayer(tree, { store, dialect: 'oci', signal: o.signal });
    const made = [`base-${random.hex(16)}`];
    try {
      await snapshotter.apply(undefined, { path: store.pathOf(unpacked.diffId) }, made[0] ?? '', o);
      const trees = [await openLayer(store, unpacked.diffId)];
      for (const step of configureSteps(lock)) {
        await using active = await snapshotter.prepare(made.at(-1), o);
        o.log(step.name);
        const output: string[] = [];
        const keep = (chunk: Uint8Array): void => void output.push(Buffer.from(chunk).toString());
        const code = await executor.run(
          {
            id: `base-${random.hex(8)}`,
            args: step.args,
            env: Object.entries(step.env).map(([name, value]) => `${name}=${value}`),
            cwd: step.cwd,
            user: { uid: 0, gid: 0, additionalGids: [] },
            hostname: 'debian',
            network: 'none',
            security: 'sandbox',
            extraHosts: [],
            ulimits: [],
            shmSize: 64 << 20,
            mounts: [],
          },
          { root: active.mounts, io: { stdout: keep, stderr: keep }, signal: o.signal },
        );
        if (code !== 0) {
          for (const line of output.join('').trimEnd().split('\n').slice(-40)) o.log(line);
          throw workerError(
            'STEP_FAILED',
            `make a base of Debian ${lock.suite}: "${step.name}" ended with exit code ${code}`,
          );
        }
        const id = `${made[0]}-${made.length}`;
        await snapshotter.commit(active, id, o);
        made.push(id);
        trees.push(await snapshotter.changes(id, o));
      }
      const view = await unionOf(trees, o);
      const { diffId } = await writeLayer(cleaned(viewTree(view), lock), {
        store,
        dialect: 'oci',
        epoch: lock.epoch,
        signal: o.signal,
      });
      return { diffId };
    } finally {
      for (const id of made.toReversed())
        await snapshotter
          .remove(id)
          .catch((error: unknown) => o.log(`a temporary snapshot could not be removed: ${messageOf(error)}`));
      await store.delete(unpacked.diffId);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#http.get())[Symbol.asyncDispose]();
  }
}
