import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { sleep, sys, type Wait } from '../base/index.ts';

/** Between two looks at whether another process has ended its turn. */
const POLL_MS = 20;

/**
 * Waits until no other process, nor another call in this one, has the turn of that name; held until it is disposed, or the process ends. A locked file of `folder`, which goes with its holder. Who waited for it has
 * the turn even so: two may have one at a time then, as a file that a third makes is another one, so a turn saves work and guards nothing.
 */
export async function takeTurn(folder: string, name: string, w?: Wait): Promise<Disposable> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = `${folder}/${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
  const fd = openSync(path, 'a', 0o600);
  try {
    while (!sys.flock(fd, 'exclusive')) await sleep(POLL_MS, w);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return {
    [Symbol.dispose]: () => {
      rmSync(path, { force: true });
      closeSync(fd);
    },
  };
}
