import { firstFailure, hasCode, hasErrno, messageOf, reasonOf } from '../base/index.ts';
import { workerError } from './errors.ts';

const SQLITE_FULL = 13;

/** A full disk told as what it is, with what helps; any other error as it is, without what failed after it. `folder` is what was written to. */
export function explainFull(thrown: unknown, folder: string): unknown {
  const error = firstFailure(thrown);
  const sqlite = (error as { errcode?: unknown } | undefined)?.errcode;
  const unpacked = hasCode(error, 'UNPACK_FULL');
  if (!unpacked && !hasErrno(error, 'ENOSPC', 'EDQUOT') && sqlite !== SQLITE_FULL) return error;
  const why = hasErrno(error, 'EDQUOT') ? 'the disk quota is used up' : 'no space is left on its file system';
  return workerError(
    'STORE_FULL',
    `write to the store "${folder}": ${why} (${unpacked ? messageOf(error) : reasonOf(error)})`,
    {
      cause: error,
      remedy: 'Make room, for instance with "strake prune", or name a folder on another file system with --root.',
    },
  );
}
