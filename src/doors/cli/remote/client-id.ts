import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno, type Random } from '../../../base/index.ts';
import { digestOf } from '../../../blob/index.ts';

/**
 * The word by which a daemon knows a folder's files again: only who knows it is spared sending them, so that it must not be guessed by others. The same for as long as the store is; undefined where none can be kept.
 */
export function sharedKeyOf(
  folder: string,
  { root, random }: { readonly root: string; readonly random: Random },
): string | undefined {
  const path = join(root, 'client-id');
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    try {
      writeFileSync(path, random.hex(16), { flag: 'wx', mode: 0o600 });
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
    }
    const id = readFileSync(path, 'utf8');
    // Another process is just writing it.
    return id.length === 32 ? digestOf(`${id} ${folder}`).slice('sha256:'.length) : undefined;
  } catch {
    return undefined;
  }
}
