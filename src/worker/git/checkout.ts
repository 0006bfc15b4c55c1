import { copyFileSync, existsSync, lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Wait } from '../../base/index.ts';
import type { GitSource } from '../../graph/index.ts';
import { composeTree, walkFolder, type Entry, type FileTree } from '../../tree/index.ts';
import { gitError } from './errors.ts';
import type { Git } from './git-program.ts';
import type { Remote } from './remote.ts';
import type { ResolvedRef } from './resolve-ref.ts';

export interface CheckoutOptions extends Wait {
  readonly git: Git;
  /** The bare repository that has the commit. */
  readonly mirror: string;
  readonly remote: Remote;
  /** An empty folder, which must live as long as the tree. */
  readonly folder: string;
  /** Seconds, for all files; absent: the commit's. */
  readonly time?: number | undefined;
}

/**
 * The files of a commit as BuildKit has them: 0:0, modes as under umask 022, a folder of the repository as the root, submodules in their places. `.git` is left out, that of submodules too, or with `keepGitDir` a repository of
 * this one commit, HEAD detached, with the reference it was found by and the remote's address without logins; its index knows no file's time or inode, so that it does not differ from one making to the next. With a
 * subfolder there is never a `.git`. Throws `GIT_FOLDER_NOT_FOUND`, and what git throws.
 */
export async function checkout(source: GitSource, found: ResolvedRef, o: CheckoutOptions): Promise<FileTree> {
  const work = join(o.folder, 'work');
  const gitDir = join(work, '.git');
  mkdirSync(work);
  const place = { gitDir, workTree: work, signal: o.signal };
  const git = (...args: string[]): Promise<string> => o.git.run(args, place);
  const keep = source.keepGitDir === true && source.subdir === undefined;
  const format = found.object.length === 64 ? ['--object-format=sha256'] : [];
  await git('init', '--quiet', ...format);
  if (keep) await copyCommit(found, { ...o, run: git });
  else borrowObjects(gitDir, o.mirror);
  await git('update-ref', '--no-deref', 'HEAD', `${found.object}^{commit}`);
  await git('read-tree', '--reset', '-u', 'HEAD');
  // Submodules with relative addresses go by this one.
  await git('remote', 'add', 'origin', o.remote.url);
  if (source.submodules !== false && existsSync(join(work, '.gitmodules')))
    await o.git.run(['submodule', '--quiet', 'update', '--init', '--recursive', '--depth=1'], {
      ...place,
      network: true,
    });
  if (keep) await tidy(gitDir, o);
  const time = o.time ?? (await commitTime(found.object, { ...o, gitDir }));
  const root = subfolder(work, source.subdir, o.remote);
  const tree = await walkFolder(root, {
    exclude: keep ? undefined : ['.git', '**/.git'],
    owner: { uid: 0, gid: 0 },
    xattrs: () => false,
    stable: true,
    signal: o.signal,
  });
  const entries = await tree.entries();
  return composeTree(
    entries.map((entry) => ({
      entry: plain(entry, time),
      from: entry.type === 'file' ? { tree, entry } : undefined,
    })),
  );
}

/** Seconds: when the commit was made, by its committer. */
export async function commitTime(
  object: string,
  o: { readonly git: Git; readonly gitDir: string } & Wait,
): Promise<number> {
  const said = await o.git.run(['log', '-1', '--no-show-signature', '--format=%ct', `${object}^{commit}`], o);
  const time = Number(said.trim());
  if (!Number.isSafeInteger(time)) throw gitError('GIT_FAILED', `read the time of commit ${object}: it has none`);
  return time;
}

/** The owner may do what git gives, all others read and enter; whatever this process's umask. */
function plain(entry: Entry, time: number): Entry {
  const own = (entry.mode >> 6) & 0o7;
  const mode = entry.type === 'symlink' ? 0o777 : (own << 6) | ((own & 0o5) << 3) | (own & 0o5);
  return { ...entry, size: entry.size, mode, mtime: time, mtimeNs: 0 };
}

/** Fetched, not cloned, by the file protocol: git's short cuts for what lies on the same disk have led to files they should not. */
async function copyCommit(
  { object, ref }: ResolvedRef,
  o: CheckoutOptions & { readonly run: (...args: string[]) => Promise<string> },
): Promise<void> {
  const name = 'refs/strake/copied';
  await o.git.run(['update-ref', '--no-deref', name, object], { gitDir: o.mirror, signal: o.signal });
  await o.run(
    'fetch',
    '--quiet',
    '--update-head-ok',
    '--no-tags',
    '--depth=1',
    '--',
    `file://${o.mirror}`,
    `${name}:${ref ?? name}`,
  );
  if (ref === undefined) await o.run('update-ref', '-d', name);
}

/** Reads objects where they lie. */
function borrowObjects(gitDir: string, mirror: string): void {
  mkdirSync(join(gitDir, 'objects/info'), { recursive: true });
  writeFileSync(join(gitDir, 'objects/info/alternates'), `${join(mirror, 'objects')}\n`);
  if (existsSync(join(mirror, 'shallow'))) copyFileSync(join(mirror, 'shallow'), join(gitDir, 'shallow'));
}

/** Takes out of a repository and its submodules' what differs from one making to the next. */
async function tidy(gitDir: string, o: CheckoutOptions): Promise<void> {
  for (const name of ['FETCH_HEAD', 'ORIG_HEAD', 'logs', 'hooks'])
    rmSync(join(gitDir, name), { recursive: true, force: true });
  if (existsSync(join(gitDir, 'index'))) {
    rmSync(join(gitDir, 'index'));
    await o.git.run(['read-tree', 'HEAD'], { gitDir, signal: o.signal });
  }
  await tidyModules(join(gitDir, 'modules'), o);
}

async function tidyModules(folder: string, o: CheckoutOptions): Promise<void> {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) continue;
    if (existsSync(join(path, 'HEAD'))) await tidy(path, o);
    else await tidyModules(path, o);
  }
}

/** A folder of the work tree; no link may lead there. */
function subfolder(work: string, subdir: string | undefined, remote: Remote): string {
  let path = work;
  const parts = (subdir ?? '').split('/').filter((part) => part !== '' && part !== '.');
  for (const part of parts) {
    path = join(path, part);
    const stat = part === '..' || part === '.git' ? undefined : lstatSync(path, { throwIfNoEntry: false });
    if (!stat?.isDirectory())
      throw gitError(
        'GIT_FOLDER_NOT_FOUND',
        `fetch the repository "${remote.shown}": it has no folder "${subdir}"${stat ? `: "${part}" is not a folder` : ''}`,
        { remedy: 'Name a folder of the repository; links are not followed.' },
      );
  }
  return path;
}
