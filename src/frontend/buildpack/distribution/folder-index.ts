import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { hasErrno, messageOf, sys } from '../../../base/index.ts';
import { buildpackError } from '../errors.ts';
import {
  buildpackAtPath,
  encodeEntry,
  indexPath,
  parseEntries,
  type RegistryEntry,
  type RegistryIndex,
} from './registry-index.ts';

/** An index that can be changed in place. What reads it at the same time sees each file as it was or as it is. */
export interface WritableIndex extends RegistryIndex {
  /** Adds a version. Throws `CNB_REGISTRY_CONFLICT` where it is there already. */
  register(entry: RegistryEntry): void;
  /** Takes a version back, or gives it back. Throws `CNB_REGISTRY_MISSING`. */
  yank(wanted: { readonly namespace: string; readonly name: string; readonly version: string }, yanked: boolean): void;
}

/** An index in a folder of this machine, as its repository has it. */
export function folderIndex(folder: string, name: string): WritableIndex {
  const read = (namespace: string, one: string): string | undefined => {
    const path = join(folder, indexPath(namespace, one));
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw buildpackError('CNB_REGISTRY_UNAVAILABLE', `read registry "${name}": ${messageOf(error)}`, {
        cause: error,
      });
    }
  };
  const paths = (): readonly string[] => {
    try {
      return readdirSync(folder, { recursive: true, encoding: 'utf8' });
    } catch (error) {
      throw hasErrno(error, 'ENOENT', 'ENOTDIR') ? noFolder(folder, name) : error;
    }
  };
  return {
    name,
    lines: async (namespace, one) => {
      const text = read(namespace, one);
      if (text === undefined && !existsSync(folder)) throw noFolder(folder, name);
      return text;
    },
    list: async () =>
      paths()
        .flatMap((path) => buildpackAtPath(path) ?? [])
        .toSorted((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1)),
    register: (entry) => {
      const path = indexPath(entry.namespace, entry.name);
      using _lock = locked(folder);
      const text = read(entry.namespace, entry.name) ?? '';
      if (parseEntries(text, path).some(({ version }) => version === entry.version))
        throw buildpackError(
          'CNB_REGISTRY_CONFLICT',
          `register "${entry.namespace}/${entry.name}@${entry.version}": registry "${name}" has this version already`,
          { remedy: 'Give the buildpack a new version.' },
        );
      const ended = text === '' || text.endsWith('\n') ? text : `${text}\n`;
      replace(folder, path, ended + encodeEntry(entry));
    },
    yank: (wanted, yanked) => {
      const path = indexPath(wanted.namespace, wanted.name);
      using _lock = locked(folder);
      const entries = parseEntries(read(wanted.namespace, wanted.name) ?? '', path);
      if (!entries.some(({ version }) => version === wanted.version))
        throw buildpackError(
          'CNB_REGISTRY_MISSING',
          `${yanked ? 'yank' : 'undo yank of'} "${wanted.namespace}/${wanted.name}@${wanted.version}": registry "${name}" does not have it`,
          entries.length === 0 ? {} : { remedy: `There is ${entries.map(({ version }) => version).join(', ')}.` },
        );
      const changed = entries.map((entry) => (entry.version === wanted.version ? { ...entry, yanked } : entry));
      replace(folder, path, changed.map((entry) => encodeEntry(entry)).join(''));
    },
  };
}

function noFolder(folder: string, name: string): Error {
  return buildpackError('CNB_REGISTRY_UNAVAILABLE', `read registry "${name}": there is no folder "${folder}"`);
}

/** Keeps other processes from changing the index in between; where its file system has no locks, nothing does. */
function locked(folder: string): Disposable {
  mkdirSync(folder, { recursive: true });
  const fd = openSync(folder, 'r');
  try {
    sys.flock(fd, 'exclusive', { wait: true });
  } catch {
    // A network file system, most likely.
  }
  return { [Symbol.dispose]: () => closeSync(fd) };
}

/** Writes a file of an index as a whole; what is not whole yet lies where no buildpack can. */
function replace(folder: string, path: string, text: string): void {
  const target = join(folder, path);
  const temporary = join(folder, `.strake-${process.pid}.new`);
  mkdirSync(dirname(target), { recursive: true });
  try {
    writeFileSync(temporary, text, { flush: true });
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
