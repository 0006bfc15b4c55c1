import { join } from 'node:path';
import {
  canonicalJson,
  HttpClient,
  tempFolder,
  type Clock,
  type Database,
  type Json,
  type Random,
  type Wait,
} from '../base/index.ts';
import { digestOf, DiskBlobStore, type Digest, type Platform } from '../blob/index.ts';
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
import { findIdMaps } from './ground/namespaces.ts';
import { canMount } from './ground/open-ground.ts';
import type { RefLayer } from './ref.ts';
import type { Stage } from './stage.ts';

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
    stage: Pick<Stage, 'ground' | 'temporary'>;
  };
  #http: HttpClient | undefined;

  constructor(o: {
    store: DiskBlobStore;
    database: Database;
    clock: Clock;
    random: Random;
    scratch: string;
    settings: BaseSettings;
    stage: Pick<Stage, 'ground' | 'temporary'>;
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
      http: this.#client(),
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
    // Where only one id is to be had the base is made without its scripts; once that has changed it is made anew.
    const hasIds = canMount() || 'kind' in findIdMaps();
    return digestOf(canonicalJson({ packages: digest, maker: MAKER, ...(hasIds ? {} : { scripts: false }) }));
  }

  /** The base as one layer. Packages are fetched, unpacked and configured in the sandbox, and what differs from one making to the next is cleaned away. */
  async make(lock: Lock, o: { spare: (...digests: Digest[]) => void } & BaseLog): Promise<RefLayer> {
    const { store, settings, scratch, random } = this.#o;
    o.spare(...lock.packages.map(({ digest }) => digest));
    let bytes = 0;
    await fetchPackages(lock, {
      blobs: store,
      http: this.#client(),
      logins: mirrorLogins(await settings.apt(), settings.mirror),
      signal: o.signal,
      onProgress: (event) => {
        if (event.kind === 'start') o.log(`fetching ${event.packages} packages, ${Math.ceil(event.bytes / 1e6)} MB`);
        else if (event.kind === 'bytes')
          o.progress({ item: 'packages', current: (bytes += event.bytes), unit: 'bytes' });
      },
    });
    const ground = await this.#o.stage.ground(o);
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
    return await this.#configure(tree, lock, { ...o, ground, folder: folder.path });
  }

  /** Runs the maintainer scripts on a snapshot of the unpacked tree and takes the outcome as one layer. */
  async #configure(tree: FileTree, lock: Lock, o: { ground: Ground; folder: string } & BaseLog): Promise<RefLayer> {
    const { store, clock, random, stage } = this.#o;
    const { snapshotter, executor } = o.ground;
    // Not in the store: another process may be making the same base, and a sweep must not take what neither has on record.
    const aside = new DiskBlobStore(join(o.folder, 'unpacked'), { clock, random });
    const unpacked = await writeLayer(tree, { store: aside, dialect: 'oci', signal: o.signal });
    await using made = new AsyncDisposableStack();
    let top = made.use(stage.temporary('base')).id;
    await snapshotter.apply(undefined, { path: aside.pathOf(unpacked.diffId) }, top, o);
    const trees = [await openLayer(aside, unpacked.diffId)];
    for (const step of configureSteps(lock)) {
      await using active = await snapshotter.prepare(top, o);
      o.log(step.name);
      const output = new LastLines(40);
      const keep = (chunk: Uint8Array): void => output.add(chunk);
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
        for (const line of output.lines()) o.log(line);
        throw workerError(
          'STEP_FAILED',
          `make a base of Debian ${lock.suite}: "${step.name}" ended with exit code ${code}`,
        );
      }
      top = made.use(stage.temporary('base')).id;
      await snapshotter.commit(active, top, o);
      trees.push(await snapshotter.changes(top, o));
    }
    const view = await unionOf(trees, o);
    const { diffId } = await writeLayer(cleaned(viewTree(view), lock), {
      store,
      dialect: 'oci',
      epoch: lock.epoch,
      signal: o.signal,
    });
    return { diffId };
  }

  #client(): HttpClient {
    return (this.#http ??= new HttpClient());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http?.[Symbol.asyncDispose]();
  }
}

/** The end of what a process said, however much that was. */
class LastLines {
  readonly #most: number;
  #text = '';

  constructor(most: number) {
    this.#most = most;
  }

  add(chunk: Uint8Array): void {
    this.#text += Buffer.from(chunk).toString('latin1');
    if (this.#text.length > 1 << 17) this.#text = this.#text.slice(-(1 << 16));
  }

  lines(): string[] {
    return Buffer.from(this.#text, 'latin1').toString().trimEnd().split('\n').slice(-this.#most);
  }
}
