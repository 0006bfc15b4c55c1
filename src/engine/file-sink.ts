import { closeSync, openSync, realpathSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { hasErrno, reasonOf, type Random } from '../base/index.ts';
import type { ByteSink } from '../worker/index.ts';
import { engineError } from './errors.ts';

/**
 * A file that appears under its name only when it is whole; "-" is standard output. What is there and no regular file (a device, a pipe) is written to as it is. Throws `EXPORT_FAILED`, `EXPORT_FULL`, `EXPORT_DENIED`, `EXPORT_NO_FOLDER`.
 */
export function fileSink(path: string, random: Random): ByteSink {
  if (path === '-') return stdoutSink();
  const target = targetOf(path);
  const temporary = target.special
    ? undefined
    : join(dirname(target.path), `.${basename(target.path)}.${random.hex(6)}`);
  let fd: number | undefined = attempt(path, () => openSync(temporary ?? target.path, temporary ? 'wx' : 'w'));
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
        end();
        if (temporary !== undefined) renameSync(temporary, target.path);
      }),
    [Symbol.asyncDispose]: async () => {
      end();
      if (temporary !== undefined) rmSync(temporary, { force: true });
    },
  };
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
