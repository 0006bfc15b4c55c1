import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { posix } from 'node:path';
import { hasErrno } from '../base/index.ts';
import { comparePaths } from './compare-entries.ts';
import { goMatch, hasWildcards } from './go-match.ts';
import { decodePath, fsPath } from './path-text.ts';

/**
 * The paths that reading `paths` below the folder `root` comes to: each path, and wherever a step of it is a symbolic link, the link and what it leads to, within the root (fsutil's FollowLinks). The
 * last part of a path may hold wildcards. Sorted, none below another; undefined when one is the root itself, so that everything is needed.
 */
export function followLinks(root: string, paths: readonly string[]): string[] | undefined {
  const found = new Set<string>();
  const follow = (path: string): void => {
    let rest = posix.join('/', path).slice(1);
    let current = '';
    do {
      const slash = rest.indexOf('/');
      current = posix.join(current, slash < 0 ? rest : rest.slice(0, slash));
      rest = slash < 0 ? '' : rest.slice(slash + 1);
      const targets = targetsOf(root, current);
      if (rest !== '' && targets === undefined) continue;
      if (found.has(current)) return;
      found.add(current);
      for (const target of targets ?? []) follow(posix.join(target, rest));
      return;
    } while (rest !== '');
  };
  for (const path of paths) follow(path);
  const sorted = [...found].sort(comparePaths);
  if (sorted.some((path) => path === '' || path === '.')) return undefined;
  const out: string[] = [];
  for (const path of sorted) if (out.length === 0 || !path.startsWith(`${out.at(-1)}/`)) out.push(path);
  return out;
}

/** Where the links at `path` lead, from the root; undefined when there is none. */
function targetsOf(root: string, path: string): string[] | undefined {
  const folder = posix.dirname(path) === '.' ? '' : posix.dirname(path);
  const name = posix.basename(path);
  if (!hasWildcards(name)) {
    const target = targetOf(root, path);
    return target === undefined ? undefined : [target];
  }
  let names: Buffer[];
  try {
    names = readdirSync(fsPath(root, folder), { encoding: 'buffer' });
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return undefined;
    throw error;
  }
  const targets: string[] = [];
  for (const bytes of names) {
    const entry = decodePath(bytes);
    const target = goMatch(name, entry) ? targetOf(root, posix.join(folder, entry)) : undefined;
    if (target !== undefined) targets.push(target);
  }
  return targets.length > 0 ? targets : undefined;
}

function targetOf(root: string, path: string): string | undefined {
  const full = fsPath(root, path);
  try {
    if (!lstatSync(full).isSymbolicLink()) return undefined;
    const link = decodePath(readlinkSync(full, 'buffer'));
    return link.startsWith('/') ? posix.normalize(link) : posix.join('/', posix.dirname(path), link);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG')) return undefined;
    throw error;
  }
}
