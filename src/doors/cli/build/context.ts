import { mkdirSync, renameSync, statSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { hasErrno, messageOf, tempFolder, type Wait } from '../../../base/index.ts';
import { parseGitRef } from '../../../graph/index.ts';
import { archiveTree, extractTree, zipTree } from '../../../tree/index.ts';
import { cliError, usage } from '../errors.ts';
import type { Io } from '../io.ts';
import { findDockerfile } from './dockerfile-place.ts';
import { spool } from './spool.ts';

/** Where a build's files are. */
export interface BuildContext extends Disposable {
  /** The context's folder; undefined for what the engine fetches. */
  readonly folder: string | undefined;
  /** The folder that holds the Dockerfile; undefined for one in a context that the engine fetches. */
  readonly dockerfile: { readonly folder: string; readonly name: string } | undefined;
  /** The folder is the user's own, not one that was made for this build. */
  readonly isLocal: boolean;
  /** What the frontend is told of it. */
  readonly options: Readonly<Record<string, string>>;
}

export interface ContextOptions extends Wait {
  readonly io: Io;
  /** Where temporary folders may be made. */
  readonly scratch: string;
  /** `-f`, as given. */
  readonly file?: string | undefined;
  /** The context is an application: no Dockerfile is looked for. */
  readonly withoutDockerfile?: boolean | undefined;
}

/** The context: a folder as it is; an archive or a Dockerfile from standard input in a temporary folder that goes with the context; a repository or an address of the web as the engine will fetch it. Throws the errors that name what is missing. */
export async function openContext(text: string, o: ContextOptions): Promise<BuildContext> {
  const temp = new Temporary(o);
  try {
    return await open(text, o, temp);
  } catch (error) {
    temp[Symbol.dispose]();
    throw error;
  }
}

/** A named context's folder on this machine. */
export function namedFolder(text: string, io: Io): string {
  return localFolder(text, io);
}

/** True for what names something on another machine, or in a repository. */
export function isRemote(text: string): boolean {
  return /^https?:\/\//.test(text) || parseGitRef(text, { local: true }) !== undefined;
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
    const found = await unpacked(spooled, { ...o, temp, what: 'standard input' });
    return { ...found, isLocal: false, options: { filename: found.dockerfile.name }, ...dispose };
  }
  if (isRemote(text)) return { ...(await remote(text, o, temp)), ...dispose };
  if (o.withoutDockerfile && /\.(?:zip|jar|war)$/i.test(text)) {
    const archive = resolve(o.io.cwd, text);
    if (statOf(archive, text)?.isFile()) {
      const folder = temp.folder('context');
      await extractTree(await zipTree(archive, { signal: o.signal }), folder, { signal: o.signal });
      return { folder, dockerfile: undefined, isLocal: false, options: {}, ...dispose };
    }
  }
  const folder = localFolder(text, o.io);
  if (o.withoutDockerfile) return { folder, dockerfile: undefined, isLocal: true, options: {}, ...dispose };
  const dockerfile = await dockerfileFor(o, temp, folder);
  return { folder, dockerfile, isLocal: true, options: { filename: dockerfile.name }, ...dispose };
}

/** What the engine fetches. The Dockerfile is in it, or comes from standard input. */
async function remote(text: string, o: ContextOptions, temp: Temporary): Promise<Omit<BuildContext, keyof Disposable>> {
  const there = { folder: undefined, isLocal: false };
  if (o.file === '-') {
    const dockerfile = await spooledDockerfile(o, temp);
    return { ...there, dockerfile, options: { context: text, dockerfilekey: 'dockerfile', filename: dockerfile.name } };
  }
  const filename = o.file === undefined ? {} : { filename: inContext('/', o.file).slice(1) };
  return { ...there, dockerfile: undefined, options: { context: text, ...filename } };
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

/** The Dockerfile of a folder of this machine: `-f` is a path of the machine, too. */
async function dockerfileFor(
  o: ContextOptions,
  temp: Temporary,
  folder: string,
): Promise<{ folder: string; name: string }> {
  if (o.file === '-') return spooledDockerfile(o, temp);
  return findDockerfile(folder, o.file === undefined ? undefined : resolve(o.io.cwd, o.file));
}

async function spooledDockerfile(o: ContextOptions, temp: Temporary): Promise<{ folder: string; name: string }> {
  const folder = temp.folder('dockerfile');
  await spool(o.io.stdin, { path: join(folder, 'Dockerfile'), signal: o.signal });
  return { folder, name: 'Dockerfile' };
}

function inContext(folder: string, file: string): string {
  const path = resolve(folder, isAbsolute(file) ? `.${file}` : file);
  if (!path.startsWith(folder === '/' ? '/' : `${folder}/`))
    throw usage(`read Dockerfile "${file}": it leads out of the context`);
  return path;
}

/** The files of an archive; a file that is none is taken for a Dockerfile, with nothing beside it. */
async function unpacked(
  path: string,
  o: ContextOptions & { readonly temp: Temporary; readonly what: string },
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
