import { mkdirSync, renameSync, statSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { hasErrno, messageOf, redactUrl, tempFolder, type Wait } from '../../../base/index.ts';
import type { BuildEvent } from '../../../engine/index.ts';
import { archiveTree, extractTree } from '../../../tree/index.ts';
import { cliError, usage } from '../errors.ts';
import type { Io } from '../io.ts';
import { findDockerfile } from './dockerfile-place.ts';
import { fetchGit } from './git-context.ts';
import { gitPlace } from './git-url.ts';
import { fetchUrl } from './fetch-url.ts';
import { spool } from './spool.ts';

/** Where a build's files are, once they are on this machine. */
export interface BuildContext extends Disposable {
  /** The context's folder. */
  readonly folder: string;
  readonly dockerfile: { readonly folder: string; readonly name: string };
  /** The folder is the user's own, not one that was made for this build. */
  readonly isLocal: boolean;
}

export interface ContextOptions extends Wait {
  readonly io: Io;
  /** Where temporary folders may be made. */
  readonly scratch: string;
  /** `-f`, as given. */
  readonly file?: string | undefined;
  readonly keepGitDir: boolean;
  readonly emit: (event: BuildEvent) => void;
}

/** Brings the context here: a folder as it is; a repository, an archive or a Dockerfile from elsewhere into a temporary folder that goes with the context. Throws the errors that name what is missing. */
export async function openContext(text: string, o: ContextOptions): Promise<BuildContext> {
  const temp = new Temporary(o);
  try {
    return await open(text, o, temp);
  } catch (error) {
    temp[Symbol.dispose]();
    throw error;
  }
}

/** A named context's folder: one of this machine, or a repository or archive brought here. */
export async function openNamedContext(
  text: string,
  o: Omit<ContextOptions, 'file'>,
): Promise<{ readonly folder: string } & Disposable> {
  const temp = new Temporary(o);
  try {
    if (!isRemote(text)) return { folder: localFolder(text, o.io), [Symbol.dispose]: () => undefined };
    const { folder } = await remoteFolder(text, o, temp);
    return { folder, [Symbol.dispose]: () => temp[Symbol.dispose]() };
  } catch (error) {
    temp[Symbol.dispose]();
    throw error;
  }
}

/** True for what names something on another machine, or in a repository. */
export function isRemote(text: string): boolean {
  return /^https?:\/\//.test(text) || gitPlace(text) !== undefined;
}

async function open(text: string, o: ContextOptions, temp: Temporary): Promise<BuildContext> {
  const dispose = { [Symbol.dispose]: () => temp[Symbol.dispose]() };
  if (text === '-') {
    if (o.file === '-')
      throw usage(
        'read the context and the Dockerfile from standard input: it holds one of them',
        'Give a folder as the context.',
      );
    const spooled = temp.path('stdin');
    await spool(o.io.stdin, { path: spooled, signal: o.signal });
    return { ...(await unpacked(spooled, { ...o, temp, what: 'standard input' })), isLocal: false, ...dispose };
  }
  if (isRemote(text)) {
    const { folder, dockerfile } = await remoteFolder(text, o, temp);
    return {
      folder,
      dockerfile: dockerfile ?? (await dockerfileFor(o, temp, { folder, isLocal: false })),
      isLocal: false,
      ...dispose,
    };
  }
  const folder = localFolder(text, o.io);
  return { folder, dockerfile: await dockerfileFor(o, temp, { folder, isLocal: true }), isLocal: true, ...dispose };
}

function localFolder(text: string, io: Io): string {
  const folder = resolve(io.cwd, text);
  const stat = statOf(folder, text);
  if (!stat)
    throw cliError('CONTEXT_NOT_FOUND', `read the build context "${text}": no such folder`, {
      remedy: 'Name the folder that holds the Dockerfile and the files it copies, as in "strake build .".',
    });
  if (!stat.isDirectory())
    throw cliError('CONTEXT_INVALID', `read the build context "${text}": it is a file, not a folder`, {
      remedy: `If it is the Dockerfile, name it with -f: strake build -f ${text} .`,
    });
  return folder;
}

function statOf(folder: string, text: string): ReturnType<typeof statSync> {
  try {
    return statSync(folder, { throwIfNoEntry: false });
  } catch (error) {
    throw cliError(
      hasErrno(error, 'EACCES', 'EPERM') ? 'CONTEXT_DENIED' : 'CONTEXT_NOT_FOUND',
      `read the build context "${text}": ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
}

/** The Dockerfile of a context that is a folder: `-f` is a path of this machine where the context is, too, else one in the context. */
async function dockerfileFor(
  o: ContextOptions,
  temp: Temporary,
  context: { readonly folder: string; readonly isLocal: boolean },
): Promise<{ folder: string; name: string }> {
  if (o.file === '-') {
    const folder = temp.folder('dockerfile');
    await spool(o.io.stdin, { path: join(folder, 'Dockerfile'), signal: o.signal });
    return { folder, name: 'Dockerfile' };
  }
  if (o.file === undefined) return findDockerfile(context.folder, undefined);
  if (context.isLocal) return findDockerfile(context.folder, resolve(o.io.cwd, o.file));
  return findDockerfile(context.folder, inContext(context.folder, o.file));
}

function inContext(folder: string, file: string): string {
  const path = resolve(folder, isAbsolute(file) ? `.${file}` : file);
  if (!path.startsWith(`${folder}/`)) throw usage(`read Dockerfile "${file}": it leads out of the context`);
  return path;
}

interface Found {
  readonly folder: string;
  readonly dockerfile?: { readonly folder: string; readonly name: string } | undefined;
}

async function remoteFolder(
  text: string,
  o: Omit<ContextOptions, 'file'> & { file?: string | undefined },
  temp: Temporary,
): Promise<Found> {
  const git = gitPlace(text);
  if (git) {
    const folder = temp.folder('repository');
    return told(
      `[internal] load git source ${git.remote.includes('://') ? redactUrl(git.remote) : git.remote}`,
      o,
      async () => ({
        folder: await fetchGit(git, { folder, keepGitDir: o.keepGitDir, env: o.io.env, signal: o.signal }),
      }),
    );
  }
  const path = temp.path('download');
  return told(`[internal] load remote build context ${redactUrl(text)}`, o, async (progress) => {
    await fetchUrl(text, { path, signal: o.signal, onProgress: progress });
    return unpacked(path, { ...o, temp, what: `"${redactUrl(text)}"` });
  });
}

/** The files of an archive; a file that is none is taken for a Dockerfile, with nothing beside it. */
async function unpacked(
  path: string,
  o: Omit<ContextOptions, 'file'> & {
    readonly file?: string | undefined;
    readonly temp: Temporary;
    readonly what: string;
  },
): Promise<{ readonly folder: string; readonly dockerfile: { readonly folder: string; readonly name: string } }> {
  const folder = o.temp.folder('context');
  if (statSync(path).size === 0)
    throw cliError('CONTEXT_INVALID', `read the build context from ${o.what}: it is empty`, {
      remedy: 'Give a Dockerfile or a tar archive, as in "strake build - < Dockerfile".',
    });
  const tree = await archiveTree(path, { scratch: o.temp.folder('unpacked'), signal: o.signal });
  if (tree) {
    await extractTree(tree, folder, { signal: o.signal });
    return { folder, dockerfile: findDockerfile(folder, o.file === undefined ? undefined : inContext(folder, o.file)) };
  }
  const own = o.temp.folder('dockerfile');
  renameSync(path, join(own, 'Dockerfile'));
  return { folder, dockerfile: { folder: own, name: 'Dockerfile' } };
}

/** Tells of work of the door's own as a step of the build. */
async function told<T>(
  name: string,
  o: Pick<ContextOptions, 'emit' | 'io'>,
  work: (progress: (bytes: number, total: number | undefined) => void) => Promise<T>,
): Promise<T> {
  const { emit, io } = o;
  emit({ kind: 'vertex', id: name, name, inputs: [], internal: true });
  emit({ kind: 'started', id: name, at: io.clock.now() });
  const progress = (current: number, total: number | undefined): void =>
    emit({
      kind: 'progress',
      id: name,
      at: io.clock.now(),
      progress: { item: 'downloading', current, total, unit: 'bytes', done: current === total },
    });
  try {
    const result = await work(progress);
    emit({ kind: 'completed', id: name, at: io.clock.now() });
    return result;
  } catch (error) {
    emit({ kind: 'completed', id: name, at: io.clock.now(), error: messageOf(error) });
    throw error;
  }
}

/** A temporary folder, made when something is put in. */
class Temporary implements Disposable {
  readonly #o: Pick<ContextOptions, 'scratch' | 'io'>;
  #made: ({ readonly path: string } & Disposable) | undefined;

  constructor(o: Pick<ContextOptions, 'scratch' | 'io'>) {
    this.#o = o;
  }

  path(name: string): string {
    this.#made ??= tempFolder(this.#o.scratch, this.#o.io.random);
    return join(this.#made.path, name);
  }

  folder(name: string): string {
    const path = this.path(name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  [Symbol.dispose](): void {
    this.#made?.[Symbol.dispose]();
    this.#made = undefined;
  }
}
