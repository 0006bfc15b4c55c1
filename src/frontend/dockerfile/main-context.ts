import { hasCode, type Wait } from '../../base/index.ts';
import { parseGitRef, scratch, sourceState, type GitSource, type HttpSource, type State } from '../../graph/index.ts';
import { cleanPath } from '../../tree/index.ts';
import type { FrontendHost } from '../index.ts';
import { gitSource, redactedRemote } from './git-source.ts';
import type { Options } from './options.ts';

/** Where the build context and the Dockerfile are. */
export interface MainContext {
  /** Name of the local source that is the context where it is no tree. */
  readonly name: string;
  /** The context's tree; undefined for a local source. */
  readonly state: State | undefined;
  /** The tree that holds the Dockerfile; undefined for a local source. */
  readonly dockerfile: State | undefined;
  /** Name of the local source that holds the Dockerfile otherwise. */
  readonly dockerfileName: string;
  readonly filename: string;
  /** What the context was fetched from. */
  readonly source: GitSource | HttpSource | undefined;
}

/** The name of a file fetched for a context, as BuildKit has it. */
const FETCHED = 'context';

/** Finds the build context (facts 1.5, 1.10): the repository or address that option `context` names, a tree the asking side gave, or its local files. */
export async function openMainContext(options: Options, host: FrontendHost, w: Wait): Promise<MainContext> {
  const { address, dockerfileKey } = options.context;
  const main = (await remoteContext(options, address, host, w)) ?? givenContext(options, host);
  const forced = dockerfileKey !== undefined;
  const { subdir } = options.context;
  return {
    ...main,
    name: options.context.name,
    dockerfile: forced ? undefined : main.dockerfile,
    dockerfileName: dockerfileKey ?? 'dockerfile',
    filename: forced ? options.filename : main.filename,
    state: main.state === undefined || subdir === undefined ? main.state : scopedTo(main.state, subdir),
  };
}

type Found = Pick<MainContext, 'state' | 'dockerfile' | 'filename' | 'source'>;

function givenContext(options: Options, host: FrontendHost): Found {
  const state = host.input('context');
  return { state, dockerfile: host.input('dockerfile') ?? state, filename: options.filename, source: undefined };
}

async function remoteContext(
  options: Options,
  address: string,
  host: FrontendHost,
  w: Wait,
): Promise<Found | undefined> {
  const git = parseGitRef(address, { local: true });
  if (git !== undefined) {
    const { keepGitDir } = options.context;
    const mtime = options.buildArgs.has('SOURCE_DATE_EPOCH') ? 'commit' : git.mtime;
    const source = gitSource({ ...git, keepGitDir: git.keepGitDir === true || keepGitDir, mtime });
    const state = sourceState(source, {
      name: `[internal] load git source ${redactedRemote(address)}`,
      internal: true,
    });
    return { state, dockerfile: state, filename: options.filename, source };
  }
  if (!/^https?:\/\//.test(address)) return undefined;
  const source: HttpSource = { type: 'http', url: address, filename: FETCHED };
  const fetched = sourceState(source, { name: `[internal] load remote build context`, internal: true });
  if (!(await isArchive(fetched, FETCHED, { host, w })))
    return { state: fetched, dockerfile: fetched, filename: FETCHED, source };
  const state = unpackedFile(fetched, FETCHED);
  return { state, dockerfile: state, filename: options.filename, source };
}

/** Seconds: the latest time of a file in an archive of the web; undefined for what is none. */
export async function archiveTime(source: HttpSource, host: FrontendHost, w: Wait): Promise<number | undefined> {
  const { filename = FETCHED } = source;
  const fetched = sourceState(
    { ...source, filename },
    { name: `[internal] look for the time of ${redactedRemote(source.url)}`, internal: true },
  );
  if (!(await isArchive(fetched, filename, { host, w }))) return undefined;
  const ref = await host.solve(unpackedFile(fetched, filename), w);
  let latest: number | undefined;
  const folders = ['/'];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop())
    for (const { path, type, mtime } of await host.list(ref, folder, w)) {
      if (type === 'directory') folders.push(`/${path}`);
      else if (type === 'file') latest = Math.max(latest ?? mtime, mtime);
    }
  return latest;
}

function unpackedFile(fetched: State, filename: string): State {
  return scratch.copy(
    fetched,
    {
      sources: [`/${filename}`],
      destination: '/',
      wildcard: false,
      parents: false,
      unpack: true,
      followDestination: true,
    },
    { name: '[internal] unpack remote build context', internal: true },
  );
}

function scopedTo(state: State, subdir: string): State {
  const sources = [cleanPath(`/${subdir}`)];
  const copy = { sources, destination: '/', wildcard: false, parents: false, unpack: false, followDestination: true };
  return scratch.copy(state, copy, { name: `[internal] build context "${subdir}"`, internal: true });
}

const MAGIC: readonly (readonly number[])[] = [
  [0x42, 0x5a, 0x68],
  [0x1f, 0x8b, 0x08],
  [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
  [0x28, 0xb5, 0x2f, 0xfd],
];

/** By its first bytes, as BuildKit does, and zstd. */
async function isArchive(
  fetched: State,
  filename: string,
  { host, w }: { readonly host: FrontendHost; readonly w: Wait },
): Promise<boolean> {
  const ref = await host.solve(fetched, w);
  let start: Uint8Array;
  try {
    start = await host.read(ref, filename, w);
  } catch (error) {
    // Too big to be read whole, so no Dockerfile.
    if (hasCode(error, 'TOO_MANY_BYTES')) return true;
    throw error;
  }
  return MAGIC.some((magic) => magic.every((byte, index) => start[index] === byte)) || isTarHeader(start);
}

/** The sum of a header's bytes, with blanks for the sum itself, is written in it (POSIX ustar). */
function isTarHeader(block: Uint8Array): boolean {
  if (block.length < 512) return false;
  let sum = 0;
  for (let at = 0; at < 512; at++) sum += at >= 148 && at < 156 ? 0x20 : (block[at] ?? 0);
  const written = Buffer.from(block.subarray(148, 156))
    .toString('latin1')
    .replace(/[\0 ]+/g, '');
  return /^[0-7]+$/.test(written) && Number.parseInt(written, 8) === sum;
}
