import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { hasErrno, reasonOf, sys, type Random } from '../base/index.ts';
import type { ByteSink } from '../worker/index.ts';
import { engineError } from './errors.ts';

/**
 * A file that appears under its name only when it is whole; "-" is standard output. What is there and no regular file (a device, a pipe) is written to as it is. Throws `EXPORT_FAILED`, `EXPORT_FULL`, `EXPORT_DENIED`, `EXPORT_NO_FOLDER`.
 */
export function fileSink(path: string, random: Random): ByteSink {
  if (path === '-') return stdoutSink();
  const target = targetOf(path);
  const made = attempt(path, () =>
    target.special ? { path: undefined, fd: openSync(target.path, 'w') } : openTemporary(target.path, random),
  );
  const temporary = made.path;
  let fd: number | undefined = made.fd;
  const end = (): void => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  return {
    write: async (chunk) => {
      const to = fd;
      if (to === undefined) throw engineError('EXPORT_FAILED', `write "${path}": it was closed`);
      attempt(path, () => {
        for (let at = 0; at < chunk.length;) at += writeSync(to, chunk, at);
      });
    },
    close: async () =>
      attempt(path, () => {
        // While it is still locked, so that nobody takes it for a killed command's.
        if (temporary !== undefined) renameSync(temporary, target.path);
        end();
      }),
    [Symbol.asyncDispose]: async () => {
      end();
      if (temporary !== undefined) rmSync(temporary, { force: true });
    },
  };
}

/** A new file beside the target, locked as long as it is open. What killed commands have left there of the same target goes. */
function openTemporary(target: string, random: Random): { readonly path: string; readonly fd: number } {
  const [folder, start] = [dirname(target), `.${basename(target)}.`];
  for (const name of namesIn(folder))
    if (name.startsWith(start) && /^[0-9a-f]{12}$/.test(name.slice(start.length))) removeUnlocked(join(folder, name));
  for (;;) {
    const path = join(folder, `${start}${random.hex(6)}`);
    const fd = openSync(path, 'wx');
    sys.flock(fd, 'exclusive');
    // Another command may have come between the two calls.
    if (statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino) return { path, fd };
    closeSync(fd);
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    // One may write to a folder that one may not look into; what else is wrong with it shows when the file is made.
    return [];
  }
}

function removeUnlocked(path: string): void {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r+');
    if (sys.flock(fd, 'exclusive')) rmSync(path);
  } catch {
    // Somebody else's, or gone: no reason not to build.
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Where a name leads: a link is written through, not replaced. */
function targetOf(path: string): { readonly path: string; readonly special: boolean } {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return { path, special: false };
  if (stat.isDirectory())
    throw engineError('EXPORT_INVALID', `write "${path}": it is a folder`, { remedy: 'Name a file in it.' });
  return stat.isFile() ? { path: realpathSync(path), special: false } : { path, special: true };
}

function attempt<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (hasErrno(error, 'ENOSPC', 'EDQUOT'))
      throw engineError('EXPORT_FULL', `write "${path}": no space left on its file system`, {
        cause: error,
        remedy: 'Make room there, or write to another file system.',
      });
    const message = `write "${path}": ${reasonOf(error)}`;
    if (hasErrno(error, 'EACCES', 'EPERM', 'EROFS'))
      throw engineError('EXPORT_DENIED', message, {
        cause: error,
        remedy: 'Name a place that this user may write to.',
      });
    if (hasErrno(error, 'ENOENT', 'ENOTDIR'))
      throw engineError('EXPORT_NO_FOLDER', message, {
        cause: error,
        remedy: 'Make its folder first, or name another.',
      });
    throw engineError('EXPORT_FAILED', message, { cause: error });
  }
}

function stdoutSink(): ByteSink {
  return {
    write: async (chunk) => {
      if (process.stdout.write(chunk)) return;
      await new Promise((resolve) => process.stdout.once('drain', resolve));
    },
    close: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}
