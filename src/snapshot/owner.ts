import { closeSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { hasErrno, sys, type Random } from '../base/index.ts';

/**
 * A live user of a store, as a locked file in it: the kernel lets go of the lock when the process ends, however it ends. Unlike a process id it is right across process id namespaces (a keeper, a container on the
 * same volume) and is never given to another.
 */
export class Owner implements Disposable {
  readonly name: string;
  readonly #path: string;
  #fd: number;

  constructor(folder: string, random: Random) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (;;) {
      this.name = random.hex(8);
      this.#path = `${folder}/${this.name}`;
      this.#fd = openSync(this.#path, 'wx', 0o600);
      // Whoever looks for dead owners may have found the file in between, unlocked, and removed it.
      if (sys.flock(this.#fd, 'exclusive') && stillThere(this.#path)) return;
      closeSync(this.#fd);
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    rmSync(this.#path, { force: true });
    closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** Calls `bury` with the name of every owner that is gone, then forgets it. One process at a time gets to bury an owner. */
export function buryDeadOwners(folder: string, bury: (name: string) => void): void {
  for (const name of list(folder)) {
    const path = `${folder}/${name}`;
    let fd: number;
    try {
      fd = openSync(path, 'r+');
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) continue;
      throw error;
    }
    try {
      if (!sys.flock(fd, 'exclusive')) continue;
      bury(name);
      rmSync(path, { force: true });
    } finally {
      closeSync(fd);
    }
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

function stillThere(path: string): boolean {
  try {
    closeSync(openSync(path, 'r'));
    return true;
  } catch {
    return false;
  }
}
