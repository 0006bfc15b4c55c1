import {
  canonicalJson,
  hasCode,
  messageOf,
  tempFolder,
  type Clock,
  type Database,
  type Random,
  type Wait,
} from '../../base/index.ts';
import { digestOf, type DiskBlobStore } from '../../blob/index.ts';
import type { GitSource } from '../../graph/index.ts';
import type { CacheKey, StepContext, StepProgress } from '../../solve/index.ts';
import { writeLayer } from '../../tree/index.ts';
import type { LayersRef, Ref } from '../ref.ts';
import type { Session } from '../session.ts';
import { agentSocket } from './agent-socket.ts';
import { checkout, commitTime } from './checkout.ts';
import { gitError } from './errors.ts';
import { expandCommit, fetchCommit } from './fetch-commit.ts';
import { gitAuth } from './git-auth.ts';
import { Git } from './git-program.ts';
import type { Mirror, Mirrors } from './mirrors.ts';
import { remoteOf, type Remote } from './remote.ts';
import { checked, isCommit, refNotFound, resolveRef, type ResolvedRef } from './resolve-ref.ts';

const MIGRATIONS = ['CREATE TABLE git_commits (object TEXT PRIMARY KEY, time INTEGER NOT NULL) STRICT, WITHOUT ROWID;'];

/** Changes when a commit comes to other files than before. */
const MAKER = 1;

type Asking = {
  readonly session: Session;
  readonly onProgress?: ((progress: StepProgress) => void) | undefined;
} & Wait;

/** The files of git repositories, by the program git: what a reference is now is asked once in a build, the commit is the key, and what was fetched stays in a mirror. */
export class GitRunner {
  readonly mirrors: Mirrors;
  readonly #o: {
    readonly store: DiskBlobStore;
    readonly database: Database;
    readonly clock: Clock;
    readonly random: Random;
    readonly scratch: string;
    readonly env: Readonly<Record<string, string | undefined>>;
  };
  readonly #resolved = new WeakMap<Session, Map<string, Promise<ResolvedRef>>>();

  constructor(o: {
    store: DiskBlobStore;
    database: Database;
    clock: Clock;
    random: Random;
    scratch: string;
    mirrors: Mirrors;
    env?: Readonly<Record<string, string | undefined>> | undefined;
  }) {
    this.#o = { ...o, env: o.env ?? process.env };
    this.mirrors = o.mirrors;
    o.database.migrate('git', MIGRATIONS);
  }

  /** Pins the reference to what it is now, and says when that commit was made. */
  async resolve(source: GitSource, o: Asking): Promise<{ source: GitSource; time: number }> {
    const found = await this.#find(source, o);
    const known = this.#timeOf(found.object);
    const time =
      known ??
      (await this.#withCommit(source, found, o, async ({ git, mirror }) =>
        commitTime(found.object, { git, gitDir: mirror.path, signal: o.signal }),
      ));
    this.#rememberTime(found.object, time);
    const ref = source.ref ?? found.ref;
    return { source: { ...source, ref, commit: found.object }, time };
  }

  async cacheKey(source: GitSource, context: StepContext<Session>): Promise<CacheKey> {
    const found = await this.#find(source, { session: context.host, signal: context.signal });
    const keep = source.keepGitDir === true && source.subdir === undefined;
    const { shown } = remoteOf(source.url);
    const key = {
      // A tag's own object is of use only where it is kept.
      commit: keep ? found.object : (found.peeled ?? found.object),
      maker: MAKER,
      ...(keep ? { keep, ref: found.ref ?? null, remote: shown } : {}),
      ...(source.subdir === undefined ? {} : { subdir: source.subdir }),
      ...(source.submodules === false ? { submodules: false } : {}),
      ...(source.mtime === 'checkout' ? { mtime: source.mtime } : {}),
    };
    return {
      digest: digestOf(canonicalJson({ git: key })),
      inputs: [],
      parts: [{ name: 'git', digest: digestOf(found.object), value: `${shown} ${found.object}` }],
    };
  }

  async run(source: GitSource, context: StepContext<Session>): Promise<readonly Ref[]> {
    const { signal } = context;
    const onProgress = (progress: StepProgress): void => context.progress(progress);
    const asking = { session: context.host, onProgress, signal };
    const found = await this.#find(source, asking);
    context.note(`commit ${found.peeled ?? found.object}`);
    const ref = await this.#withCommit(source, found, asking, async ({ git, mirror, remote, folder }) => {
      const time = source.mtime === 'checkout' ? Math.floor(this.#o.clock.now() / 1000) : undefined;
      const tree = await checkout(source, found, { git, mirror: mirror.path, remote, folder, time, signal });
      const { diffId } = await writeLayer(tree, {
        store: this.#o.store,
        dialect: 'oci',
        signal,
        onProgress: (bytes) => context.progress({ item: 'layer', current: bytes, unit: 'bytes' }),
      });
      return { kind: 'layers', layers: [{ diffId, createdAt: this.#o.clock.now() }] } satisfies LayersRef;
    });
    return [ref];
  }

  /** What the source is now; the same answer for all of a build. */
  async #find(source: GitSource, o: Asking): Promise<ResolvedRef> {
    const { url, ref, commit, checksum, fetchByCommit, auth, agent, knownHosts } = source;
    if (o.session.host.elsewhere && /^file:/i.test(url))
      throw gitError('GIT_DENIED', `fetch the repository "${url}": it lies on the machine that builds`, {
        remedy: 'Give a folder of your own, or an address that both machines reach.',
      });
    const key = JSON.stringify([url, ref, commit, checksum, fetchByCommit, auth, agent, knownHosts]);
    let known = this.#resolved.get(o.session);
    if (!known) this.#resolved.set(o.session, (known = new Map()));
    let finding = known.get(key);
    if (!finding) {
      finding = this.#ask(source, o);
      finding.catch(() => known.delete(key));
      known.set(key, finding);
    }
    return finding;
  }

  async #ask(source: GitSource, o: Asking): Promise<ResolvedRef> {
    const remote = remoteOf(source.url);
    return this.#using(remote, { ...o, source }, async (open) => {
      const found = await told(remote, source, () =>
        resolveRef(source, remote, { git: async () => (await open()).git, signal: o.signal }),
      );
      if (found) return found;
      const { git, folder } = await open();
      void folder;
      using mirror = await this.#mirror(remote, 'sha1', { git, signal: o.signal });
      const object = await told(remote, source, () =>
        expandCommit(source.ref ?? '', remote, { git, mirror, onProgress: o.onProgress, signal: o.signal }),
      );
      if (object === undefined || !isCommit(object)) throw refNotFound(remote, source.ref);
      return checked({ object }, source);
    });
  }

  async #withCommit<T>(
    source: GitSource,
    found: ResolvedRef,
    o: Asking,
    work: (w: { git: Git; mirror: Mirror; remote: Remote; folder: string }) => Promise<T>,
  ): Promise<T> {
    const remote = remoteOf(source.url);
    const format = found.object.length === 64 ? 'sha256' : 'sha1';
    return this.#using(remote, { ...o, source }, async (open) => {
      const { git, folder } = await open();
      for (let again = false; ; again = true) {
        using mirror = await this.#mirror(remote, format, { git, signal: o.signal });
        try {
          await told(remote, source, () =>
            fetchCommit(remote, found, { git, mirror, onProgress: o.onProgress, signal: o.signal }),
          );
          return await work({ git, mirror, remote, folder });
        } catch (error) {
          if (again || !isDamage(error)) throw error;
          mirror.reset();
        }
      }
    });
  }

  async #mirror(remote: Remote, format: 'sha1' | 'sha256', o: { git: Git } & Wait): Promise<Mirror> {
    return this.mirrors.open(remote.url, {
      format,
      signal: o.signal,
      init: async (path) => {
        await o.git.run(
          ['init', '--quiet', '--bare', ...(format === 'sha256' ? ['--object-format=sha256'] : []), path],
          o,
        );
      },
    });
  }

  /** git with this build's logins, once somebody asks for it; what that needs on disk goes with the scope. */
  async #using<T>(
    remote: Remote,
    o: Asking & { readonly source: GitSource },
    work: (open: () => Promise<{ git: Git; folder: string }>) => Promise<T>,
  ): Promise<T> {
    await using scope = new AsyncDisposableStack();
    let opened: Promise<{ git: Git; folder: string }> | undefined;
    const open = async (): Promise<{ git: Git; folder: string }> => {
      const folder = scope.use(tempFolder(this.#o.scratch, this.#o.random)).path;
      const { host } = o.session;
      const { agent: id = 'default', knownHosts, auth: names } = o.source;
      const auth = await gitAuth(remote, host, { auth: names, signal: o.signal });
      const agent = remote.isSsh ? await agentSocket(host, { id, folder, signal: o.signal }) : undefined;
      if (agent) scope.use(agent);
      return { git: new Git({ env: this.#o.env, auth, agent: agent?.path, folder, knownHosts }), folder };
    };
    return await work(() => (opened ??= open()));
  }

  #timeOf(object: string): number | undefined {
    return this.#o.database.get('SELECT time FROM git_commits WHERE object = ?', object)?.['time'] as
      | number
      | undefined;
  }

  #rememberTime(object: string, time: number): void {
    this.#o.database.run('INSERT OR REPLACE INTO git_commits VALUES (?, ?)', object, time);
  }
}

/** Failures of git told as what was being done, with what helps. */
async function told<T>(remote: Remote, source: GitSource, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!hasCode(error, 'GIT_FAILED', 'GIT_DENIED')) throw error;
    const what = `fetch the repository "${remote.shown}"${source.ref === undefined ? '' : ` at "${source.ref}"`}`;
    const denied = error.code === 'GIT_DENIED';
    throw gitError(denied ? 'GIT_DENIED' : 'GIT_FAILED', `${what}: ${messageOf(error)}`, {
      remedy: remote.isSsh
        ? 'Check the address and your rights; offer an agent that has the key with --ssh default.'
        : denied
          ? 'Give a token: --secret id=GIT_AUTH_TOKEN,env=GIT_AUTH_TOKEN.'
          : 'Check the address, the reference and the network.',
    });
  }
}

function isDamage(error: unknown): boolean {
  return (
    hasCode(error, 'GIT_FAILED') &&
    /corrupt|not a git repository|bad object|loose object|missing (?:blob|tree|commit)|unable to read|invalid sha1 pointer|bad tree|did not send all necessary objects|could not read/i.test(
      messageOf(error),
    )
  );
}
