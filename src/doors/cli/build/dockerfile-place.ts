import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { editDistance, hasErrno, messageOf } from '../../../base/index.ts';
import { cliError } from '../errors.ts';

/** Names tried where none is given: Docker's, in the spelling that some file systems have, and Podman's. */
const DEFAULTS = ['Dockerfile', 'dockerfile', 'Containerfile'];

/** Where the Dockerfile is: a folder and a name in it. Throws `DOCKERFILE_MISSING` with what is near, and `CONTEXT_DENIED`. */
export function findDockerfile(
  folder: string,
  named: string | undefined,
): { readonly folder: string; readonly name: string } {
  if (named === undefined) {
    const name = DEFAULTS.find((one) => isFile(join(folder, one)));
    if (name !== undefined) return readable(folder, name);
    const wanted = join(folder, DEFAULTS[0] ?? '');
    throw isFolder(wanted) ? folderInstead(wanted) : missing(wanted, folder);
  }
  const at = dirname(named);
  if (!isFile(named)) {
    throw isFolder(named) ? folderInstead(named) : missing(named, at);
  }
  return readable(at, basename(named));
}

function readable(folder: string, name: string): { folder: string; name: string } {
  try {
    accessSync(join(folder, name), constants.R_OK);
  } catch (error) {
    throw cliError('CONTEXT_DENIED', `read Dockerfile "${join(folder, name)}": ${messageOf(error)}`, {
      cause: error,
      remedy: 'Make it readable for this user.',
    });
  }
  return { folder, name };
}

function folderInstead(path: string): Error {
  return cliError('DOCKERFILE_MISSING', `read Dockerfile "${path}": it is a folder`, {
    remedy: `Name the file in it: -f ${join(path, 'Dockerfile')}.`,
  });
}

function missing(path: string, folder: string): Error {
  const near = similar(basename(path), folder);
  return cliError('DOCKERFILE_MISSING', `read Dockerfile "${path}": no such file`, {
    remedy:
      near.length > 0
        ? `Is it ${near.map((name) => `"${name}"`).join(' or ')}? Name it with -f.`
        : 'Write one, name another with -f, build in the folder that holds it, or name a builder to build it without one: --builder.',
  });
}

/** Files of the folder that could be meant. */
function similar(name: string, folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return [];
    throw error;
  }
  const wanted = name.toLowerCase();
  const rank = (other: string): number => {
    const lower = other.toLowerCase();
    const steps = editDistance(lower, wanted);
    if (steps <= 3) return steps;
    return lower.startsWith('dockerfile') || lower.endsWith('dockerfile') || lower.startsWith('containerfile')
      ? 4
      : Infinity;
  };
  return names
    .filter((other) => !other.endsWith('.dockerignore') && rank(other) < Infinity && isFile(join(folder, other)))
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .slice(0, 3);
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
