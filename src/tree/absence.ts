import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { posix } from 'node:path';
import { editDistance, hasCode, hasErrno, type CodedError } from '../base/index.ts';
import { treeError } from './errors.ts';
import { cleanPath } from './go-match.ts';
import { PatternMatcher } from './ignore.ts';
import { decodePath, fsPath } from './path-text.ts';
import { joinPath, parentOf, resolvePath, type Lookup } from './safe-path.ts';

/** What can be said of a path at which there is nothing. */
export interface Absence {
  /** Why. */
  readonly detail?: string | undefined;
  readonly remedy: string;
}

/** The error for a path that a step names and that is not there. */
export function missingPath(path: string, absence: Absence | undefined): CodedError {
  const { detail, remedy } = absence ?? { remedy: 'Check the path.' };
  const name = `"${path.startsWith('/') ? '' : '/'}${path}": not found`;
  return treeError('PATH_NOT_FOUND', detail === undefined ? name : `${name}: ${detail}`, { remedy });
}

/** Why a build context in the folder `root` does not have what is at `path`: it is left out by a pattern, a link leads outside, or the name is another one. The file system is asked, so this is for when a build fails. */
export function absenceIn(root: string, path: string, exclude: readonly string[] = []): Absence {
  let out: string | undefined;
  const lookup: Lookup = (at) => {
    const found = look(root, at);
    if (found?.link !== undefined && leadsOut(at, found.link)) out ??= at;
    return found;
  };
  let real: ReturnType<typeof resolvePath> | undefined;
  let loop: CodedError | undefined;
  try {
    real = resolvePath(lookup, path);
  } catch (error) {
    if (!hasCode(error, 'LINK_LOOP')) throw error;
    loop = error;
  }
  if (real?.found) {
    const pattern = lastMatch(exclude, real.path) ?? lastMatch(exclude, cleanPath(`/${path}`).slice(1));
    if (pattern !== undefined)
      return {
        detail: `.dockerignore leaves it out by its pattern "${pattern}"`,
        remedy: `Remove the pattern, or write "!${real.path}" in a line below it.`,
      };
    return { remedy: 'Check what it is: sockets are never in a build context.' };
  }
  if (out !== undefined)
    return {
      detail: `"/${out}" is a link to "${look(root, out)?.link ?? ''}", which leads out of the build context`,
      remedy: 'Put what is needed into the build context, or name the other folder with --build-context.',
    };
  if (loop) return { detail: loop.message, remedy: loop.remedy ?? 'Check the path.' };
  const left = exclude.length > 0 ? new PatternMatcher(exclude) : undefined;
  const names = (folder: string): string[] =>
    namesIn(root, folder).filter((name) => !left?.matches(joinPath(folder, name)));
  const near = nearPath(path, { names, exists: (at) => resolvePath(lookup, at).found });
  if (near !== undefined) return { remedy: `Did you mean "${near}"?` };
  return { remedy: 'Check the path: it begins at the root of the build context, and ".." does not lead out of it.' };
}

/** A path that is there and differs from this one in one name, by a slip of the hand. */
export function nearPath(
  path: string,
  o: { readonly names: (folder: string) => readonly string[]; readonly exists: (path: string) => boolean },
): string | undefined {
  const parts = cleanPath(`/${path}`).slice(1).split('/');
  let missing = 0;
  while (missing < parts.length && o.exists(parts.slice(0, missing + 1).join('/'))) missing += 1;
  const wanted = parts[missing];
  if (wanted === undefined) return undefined;
  const folder = parts.slice(0, missing).join('/');
  const most = wanted.length < 5 ? 1 : 2;
  const steps = (name: string): number =>
    Math.abs(name.length - wanted.length) > most ? Infinity : editDistance(name.toLowerCase(), wanted.toLowerCase());
  return o
    .names(folder)
    .map((name) => ({ name, steps: steps(name) }))
    .filter((candidate) => candidate.steps <= most)
    .sort((a, b) => a.steps - b.steps || (a.name < b.name ? -1 : 1))
    .map(({ name }) => [...parts.slice(0, missing), name, ...parts.slice(missing + 1)].join('/'))
    .find(o.exists);
}

function look(root: string, path: string): ReturnType<Lookup> {
  try {
    const full = fsPath(root, path);
    const stat = lstatSync(full);
    if (stat.isSymbolicLink()) return { type: 'symlink', link: decodePath(readlinkSync(full, 'buffer')) };
    return { type: stat.isDirectory() ? 'directory' : 'file' };
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ENAMETOOLONG', 'ELOOP')) return undefined;
    throw error;
  }
}

function leadsOut(path: string, link: string): boolean {
  return link.startsWith('/') || /^\.\.(?:\/|$)/.test(posix.join(parentOf(path) || '.', link));
}

function namesIn(root: string, folder: string): string[] {
  try {
    return readdirSync(fsPath(root, folder), { encoding: 'buffer' }).map(decodePath);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return [];
    throw error;
  }
}

/** The pattern that leaves a path out, or one of the folders above it. */
function lastMatch(exclude: readonly string[], path: string): string | undefined {
  if (exclude.length === 0 || !new PatternMatcher(exclude).matches(path)) return undefined;
  return exclude.findLast((pattern) => !pattern.startsWith('!') && new PatternMatcher([pattern]).matches(path));
}
