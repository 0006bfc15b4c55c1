import { hasErrno, messageOf } from '../base/index.ts';
import { workerError } from './errors.ts';

const SQLITE_FULL = 13;

/** A full disk told as what it is, with what helps; any other error as it is. `folder` is what was written to. */
export function explainFull(error: unknown, folder: string): unknown {
  const sqlite = (error as { errcode?: unknown } | undefined)?.errcode;
  if (!hasErrno(error, 'ENOSPC', 'EDQUOT') && sqlite !== SQLITE_FULL) return error;
  const why = hasErrno(error, 'EDQUOT') ? 'the disk quota is used up' : 'no space is left on its file system';
  return workerError('STORE_FULL', `write to the store "${folder}": ${why} (${messageOf(error)})`, {
    cause: error,
    remedy: 'Make room, for instance with "strake prune", or name a folder on another file system with --root.',
  });
}
