import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collect, findTool, hasCode, HttpClient, kindOf, systemClock, systemRandom } from '../../src/base/index.ts';
import { digestOf, DiskBlobStore } from '../../src/blob/index.ts';
import {
  baseTree,
  configureSteps,
  fetchPackages,
  parseBaseReference,
  readAptConfig,
  resolveBase,
  type AptConfig,
  type BaseRequest,
  type Lock,
} from '../../src/packages/index.ts';
import type { Entry, FileTree } from '../../src/tree/index.ts';

/** The machine's own mirror, and a folder for what is made of it. */
export interface World extends AsyncDisposable {
  readonly folder: string;
  readonly config: AptConfig;
  lock(reference: string, o?: Partial<BaseRequest>): Promise<Lock>;
  /** Makes the base of a lock in a new folder, up to the last step. */
  make(lock: Lock, o?: { mode?: 'extract'; env?: Readonly<Record<string, string>> }): Promise<string>;
  run(root: string, args: readonly string[], o?: RunOptions): string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Leave it the machine's network. */
  readonly network?: boolean;
}

/** Why nothing here can run, or false: needs root, and a mirror that answers. */
export async function reasonToSkip(): Promise<string | false> {
  if (process.getuid?.() !== 0) return 'needs root';
  for (const tool of ['apt-config', 'gpgv', 'xz', 'unshare', 'chroot'])
    if (findTool(tool) === undefined) return `needs ${tool}`;
  await using world = await openWorld();
  try {
    await world.lock('packages.local/debian:bookworm');
    return false;
  } catch (error) {
    if (kindOf(error) === 'unavailable' || hasCode(error, 'MIRROR_UNKNOWN'))
      return `no mirror answers: ${String(error)}`;
    throw error;
  }
}

export async function openWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'strake-packages-'));
  const http = new HttpClient();
  const config = await readAptConfig();
  const blobs = new DiskBlobStore(join(folder, 'blobs'), { clock: systemClock, random: systemRandom });
  const scratch = join(folder, 'scratch');
  let count = 0;
  return {
    folder,
    config,
    lock: (reference, o = {}) =>
      resolveBase(
        { ...parseBaseReference(reference), ...o },
        {
          http,
          config,
          architecture: spawnSync('dpkg', ['--print-architecture']).stdout.toString().trim(),
          cache: join(folder, 'cache'),
          scratch,
          clock: systemClock,
          random: systemRandom,
        },
      ),
    make: async (lock, o = {}) => {
      await fetchPackages(lock, { http, blobs });
      const root = join(folder, `root-${count++}`);
      using tree = await baseTree(lock, { blobs, scratch, random: systemRandom, mode: o.mode ?? 'scripts' });
      await materialise(tree, root);
      if (o.mode !== 'extract')
        for (const step of configureSteps(lock)) run(root, step.args, { env: { ...step.env, ...o.env } });
      return root;
    },
    run,
    [Symbol.asyncDispose]: async () => {
      await http[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Runs a program with `root` as its root, in mount, process and (unless told otherwise) network namespaces of its own. Throws when it fails; gives what it printed. */
function run(root: string, args: readonly string[], o: RunOptions = {}): string {
  const setUp =
    'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && mount --make-rslave "$0/dev" && exec chroot "$0" "$@"';
  const spaces = ['-m', '-p', '-f', '--kill-child', ...(o.network === true ? [] : ['-n'])];
  const { status, stdout, stderr } = spawnSync('unshare', [...spaces, 'sh', '-c', setUp, root, ...args], {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', ...o.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 << 20,
  });
  if (status !== 0)
    throw new Error(
      `${args.slice(0, 3).join(' ')} ended with ${status}:\n${stdout.toString().slice(-4000)}${stderr.toString().slice(-4000)}`,
    );
  return stdout.toString() + stderr.toString();
}

/** Writes a tree of files, folders and links below a folder that is not there yet. */
export async function materialise(tree: FileTree, root: string): Promise<void> {
  const entries = await tree.entries();
  mkdirSync(root, { recursive: true });
  for (const entry of entries) {
    const path = join(root, entry.path);
    if (entry.type === 'hardlink') {
      linkSync(join(root, entry.link ?? ''), path);
      continue;
    }
    if (entry.type === 'directory') mkdirSync(path, { recursive: true });
    else if (entry.type === 'symlink') symlinkSync(entry.link ?? '', path);
    else if (entry.type === 'file') {
      const fd = openSync(path, 'wx');
      for await (const chunk of tree.read([entry])) for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
      closeSync(fd);
    } else throw new Error(`a base has no ${entry.type}: ${entry.path}`);
    lchownSync(path, entry.uid, entry.gid);
    if (entry.type !== 'symlink') chmodSync(path, entry.mode);
    lutimesSync(path, entry.mtime, entry.mtime);
  }
  for (const { path, type, mtime } of entries.toReversed())
    if (type === 'directory') lutimesSync(join(root, path), mtime, mtime);
}

/** All that a layer of this tree would say, a line for each entry. */
export async function describe(tree: FileTree, o: { times: boolean }): Promise<Map<string, string>> {
  const entries = await tree.entries();
  const files = entries.filter(({ type }) => type === 'file');
  const digests = await tree.digests(files);
  const digestAt = new Map(files.map((file, i) => [file.path, digests[i]]));
  const line = (entry: Entry): string => {
    const { type, mode, uid, gid, link = '', mtime } = entry;
    const xattrs = [...(entry.xattrs ?? [])].map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`);
    return [
      type,
      mode.toString(8),
      uid,
      gid,
      link,
      digestAt.get(entry.path) ?? '',
      ...xattrs,
      ...(o.times ? [mtime] : []),
    ].join(' ');
  };
  return new Map(entries.map((entry) => [entry.path, line(entry)]));
}

export function digestOfTree(described: ReadonlyMap<string, string>): string {
  return digestOf([...described].map(([path, line]) => `${path}\t${line}\n`).join(''));
}

export async function textOf(tree: FileTree, path: string): Promise<string> {
  const file = (await tree.entries()).filter((entry) => entry.path === path && entry.type === 'file');
  return Buffer.from(await collect(tree.read(file))).toString();
}
