import { lstatSync, statSync } from 'node:fs';
import { basename, dirname, posix, resolve } from 'node:path';
import type { Bytes } from '../../../base/index.ts';
import { openRoot, packFiles, unpackFiles } from '../../../tree/index.ts';
import type { CliContext } from '../command.ts';
import { cliError, usage } from '../errors.ts';
import { descriptorWriter, inputBytes } from '../run/standard-streams.ts';
import { openFiles, type ContainerFiles } from './container-files.ts';
import { openContainers, settledContainers } from './containers.ts';

export interface CopyFlags {
  readonly archive?: boolean | undefined;
  readonly followLink?: boolean | undefined;
}

/** `strake cp`: as "docker cp" says what goes where. */
export async function copyFiles(
  from: string,
  to: string,
  o: { readonly flags: CopyFlags; readonly c: CliContext },
): Promise<void> {
  const { c } = o;
  const [source, target] = [placeOf(from), placeOf(to)];
  const inside = source.container ?? target.container;
  if (inside === undefined || (source.container !== undefined && target.container !== undefined))
    throw usage(
      `copy "${from}" to "${to}": one of the two is a place in a container, as web:/etc/hosts`,
      'Between two containers copy by a pipe: strake cp one:/path - | strake cp - two:/folder.',
    );
  await settledContainers(c);
  const record = openContainers(c).store.find(inside);
  await using files = await openFiles(record, c);
  if (source.container !== undefined) await copyOut(source.path, target.path, { ...o, files });
  else await copyIn(source.path, target.path, { ...o, files });
}

interface Copying {
  readonly flags: CopyFlags;
  readonly c: CliContext;
  readonly files: ContainerFiles;
}

async function copyOut(from: string, to: string, o: Copying): Promise<void> {
  const { files, c } = o;
  const follow = o.flags.followLink === true;
  const found = await files.stat(from, { follow });
  if (!found) throw missing(`"${from}"`, 'in the container');
  if (to === '-') {
    if (c.io.stdout.isTerminal)
      throw usage('copy to "-": a tar is nothing for a terminal', 'Send it on: … - | tar -t.');
    const write = descriptorWriter(1);
    for await (const chunk of files.pack(from, { as: lastOf(from), follow })) await write(chunk);
    return;
  }
  const local = resolve(c.io.cwd, to);
  const there = statSync(local, { throwIfNoEntry: false });
  const at = placeFor(
    { path: from, isFolder: found.type === 'directory' },
    { path: to, is: there === undefined ? undefined : there.isDirectory() ? 'folder' : 'file' },
  );
  const folder = at.inside ? local : dirname(local);
  if (!at.inside && statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw missing(`the folder "${dirname(to)}"`, 'here');
  using root = openRoot(folder);
  const owner = o.flags.archive === true && process.getuid?.() === 0 ? 'keep' : undefined;
  const tar = files.pack(from, { as: at.inside ? at.as : basename(local), follow });
  await unpackFiles(tar, { root: root.fd, folder: '/', owner, signal: c.signal });
}

async function copyIn(from: string, to: string, o: Copying): Promise<void> {
  const { files, c, flags } = o;
  const there = await files.stat(to, { follow: true });
  const is = there === undefined ? undefined : there.type === 'directory' ? 'folder' : 'file';
  if (from === '-') {
    if (is !== 'folder') throw missing(`the folder "${to}"`, 'in the container');
    using input = inputBytes(c.io.stdin);
    return await files.unpack(to, { tar: input, keepOwner: true });
  }
  const local = resolve(c.io.cwd, from);
  const follow = flags.followLink === true;
  const found = follow ? statSync(local, { throwIfNoEntry: false }) : lstatSync(local, { throwIfNoEntry: false });
  if (!found) throw missing(`"${from}"`, 'here');
  const at = placeFor({ path: from, isFolder: found.isDirectory() }, { path: to, is });
  const clean = posix.resolve('/', to);
  const folder = at.inside ? clean : posix.dirname(clean);
  if (!at.inside && (await files.stat(folder, { follow: true }))?.type !== 'directory')
    throw missing(`the folder "${folder}"`, 'in the container');
  using root = openRoot('/');
  const tar: Bytes = packFiles(root.fd, local, {
    as: at.inside ? at.as : posix.basename(clean),
    follow,
    signal: c.signal,
  });
  await files.unpack(folder, { tar, keepOwner: flags.archive === true });
}

/** Into a folder that is there, under a name ("": only what is in it); or in its parent under the last part of the path. */
function placeFor(
  from: { readonly path: string; readonly isFolder: boolean },
  to: { readonly path: string; readonly is: 'folder' | 'file' | undefined },
): { readonly inside: true; readonly as: string } | { readonly inside: false } {
  if (!from.isFolder && from.path.endsWith('/')) throw usage(`copy "${from.path}": it is no folder`);
  if (to.is === 'folder') {
    const contents = from.isFolder && /(?:^|\/)\.$/.test(from.path);
    return { inside: true, as: contents ? '' : lastOf(from.path) };
  }
  if (from.isFolder && to.is === 'file') throw usage(`copy the folder "${from.path}" to "${to.path}": a file is there`);
  if (!from.isFolder && to.is === undefined && to.path.endsWith('/')) throw missing(`the folder "${to.path}"`, 'there');
  return { inside: false };
}

/** What a path's last part is called: "" for a root, and of what is in the folder where one is. */
function lastOf(path: string): string {
  const last = posix.basename(posix.normalize(path));
  return last === '.' || last === '..' ? '' : last;
}

/** `web:/path`, but for what begins as a path of this machine does. */
function placeOf(text: string): { readonly container?: string | undefined; readonly path: string } {
  const colon = text.indexOf(':');
  if (text === '-' || colon <= 0 || text.startsWith('.') || text.startsWith('/')) return { path: text };
  const path = text.slice(colon + 1);
  return { container: text.slice(0, colon), path: path === '' ? '/' : path };
}

function missing(what: string, where: string): Error {
  return cliError('FILE_MISSING', `copy: ${what} is not ${where}`);
}
