import type { EntryType } from './entry.ts';
import { treeError } from './errors.ts';

/** What is at a path of which no part but the last may be a link; undefined when there is nothing. "" is the root. */
export type Lookup = (path: string) => { readonly type: EntryType; readonly link?: string | undefined } | undefined;

export interface Resolved {
  /** Without links, ".", ".." and slashes at the ends; "" is the root. */
  readonly path: string;
  /** False when a part is missing, or something other than a folder is on the way: the rest was then added as it is written, as for a path that is to be made. */
  readonly found: boolean;
}

const MOST_LINKS = 255;

/**
 * The path as a process chrooted in the root would come to it: links are followed inside the root, ".." does not lead out of it. The last part is followed too, unless `last` is `keep` and
 * the path does not end in "/". Throws `LINK_LOOP` after 255 links (as containerd's RootPath).
 */
export function resolvePath(lookup: Lookup, path: string, o: { last?: 'follow' | 'keep' } = {}): Resolved {
  const rest = path.split('/').toReversed();
  const done: string[] = [];
  /** How many parts of `done` are known to exist. */
  let known = 0;
  let links = 0;
  let lost = false;
  while (rest.length > 0) {
    const part = rest.pop()!;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      lost ||= known < done.length;
      done.pop();
      known = Math.min(known, done.length);
      continue;
    }
    done.push(part);
    if (known < done.length - 1) continue;
    const entry = lookup(done.join('/'));
    if (entry?.type === 'symlink' && (rest.length > 0 || o.last !== 'keep')) {
      if (++links > MOST_LINKS)
        throw treeError('LINK_LOOP', `follow "${path}": too many symbolic links`, {
          remedy: 'Look for a link on this path that leads back to itself.',
        });
      done.pop();
      if (entry.link?.startsWith('/') === true) {
        done.length = 0;
        known = 0;
      }
      rest.push(...(entry.link ?? '').split('/').toReversed());
      continue;
    }
    if (entry && (entry.type === 'directory' || rest.every((r) => r === '' || r === '.'))) known = done.length;
  }
  let found = !lost && known === done.length;
  if (found && /\/\.?$/.test(path) && done.length > 0) found = lookup(done.join('/'))?.type === 'directory';
  return { path: done.join('/'), found };
}

/** The folder part of a path; "" for what lies in the root. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

export function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function joinPath(folder: string, name: string): string {
  return folder === '' ? name : name === '' ? folder : `${folder}/${name}`;
}
