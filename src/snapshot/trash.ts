import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { readdir, rmdir, unlink } from 'node:fs/promises';
import { hasErrno, type Random, type Wait } from '../base/index.ts';
import { native } from './files.ts';

/** What is to be deleted: renamed aside at once, deleted later and in small steps, because ext4 creates files slowly right after many were deleted. */
export class Trash {
  readonly folder: string;
  readonly #random: Random;

  constructor(folder: string, random: Random) {
    this.folder = folder;
    this.#random = random;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Moves a folder here and says where to; nothing happens when it is not there. */
  take(path: string): string | undefined {
    const place = `${this.folder}/${this.#random.hex(8)}`;
    try {
      renameSync(native(path), place);
      return place;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** Moves a folder here and deletes it at once. */
  async discard(path: string, w?: Wait): Promise<void> {
    const place = this.take(path);
    if (place !== undefined) await discard(Buffer.from(place), w?.signal);
  }

  /** Deletes what is here, also while other processes do the same. What cannot be deleted (it may belong to ids of another map) stays. */
  async empty(signal?: AbortSignal): Promise<void> {
    for (const name of readdirSync(this.folder)) await discard(Buffer.from(`${this.folder}/${name}`), signal);
  }
}

/** Deletes a tree, one file at a time, so that it takes no more than its share. False when something of it stays. */
async function discard(path: Buffer, signal: AbortSignal | undefined): Promise<boolean> {
  let whole = true;
  try {
    for (const entry of await readdir(path, { withFileTypes: true, encoding: 'buffer' })) {
      if (signal?.aborted) return false;
      const at = Buffer.concat([path, SLASH, entry.name]);
      if (entry.isDirectory()) whole = (await discard(at, signal)) && whole;
      else
        await unlink(at).catch((error: unknown) => {
          if (!hasErrno(error, 'ENOENT')) whole = false;
        });
    }
    if (whole) await rmdir(path);
  } catch (error) {
    return hasErrno(error, 'ENOENT');
  }
  return whole;
}

const SLASH = Buffer.from('/');
