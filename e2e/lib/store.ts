import { spawnSync } from 'node:child_process';
import { chownSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sys } from '../../src/base/index.ts';
import { ok } from './strake.ts';
import type { TestUser } from './user.ts';

/** The base that tests build on. */
export const BASE = 'packages.local/debian:bookworm';

/** Folder of what is shared by all test files of one run; `scripts/test.ts` names it and removes it. */
const shared = process.env['STRAKE_TEST_SHARED'] ?? join(tmpdir(), `strake-e2e-shared-${process.getuid?.() ?? 0}`);

export interface TestStore extends Disposable {
  readonly root: string;
  /** A folder for contexts and outputs. */
  readonly work: string;
}

/** An empty store and work folder. */
export function emptyStore(user?: TestUser): TestStore {
  const folder = mkdtempSync(join(user?.home ?? tmpdir(), 'strake-e2e-'));
  const root = join(folder, 'store');
  const work = join(folder, 'work');
  mkdirSync(work);
  if (user) for (const path of [folder, work]) chownSync(path, user.uid, user.gid);
  return { root, work, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

/** A store in which the base is made already: a copy of one that is made once per run. */
export async function storeWithBase(user?: TestUser): Promise<TestStore> {
  const seed = await seedStore();
  const store = emptyStore(user);
  // Blobs never change, so links will do; everything else is copied.
  mkdirSync(store.root);
  copy(['-al', join(seed, 'blobs'), store.root]);
  for (const name of ['strake.db', 'strake.db-wal', 'strake.db-shm', 'packages'])
    if (existsSync(join(seed, name))) copy(['-a', join(seed, name), store.root]);
  if (user) {
    // A link to root's file would be changed with it.
    rmSync(join(store.root, 'blobs'), { recursive: true });
    copy(['-a', join(seed, 'blobs'), store.root]);
    spawnSync('chown', ['-R', `${user.uid}:${user.gid}`, store.root]);
  }
  return store;
}

async function seedStore(): Promise<string> {
  const seed = join(shared, 'seed');
  mkdirSync(shared, { recursive: true });
  const lock = openSync(join(shared, 'seed.lock'), 'a');
  try {
    while (!sys.flock(lock, 'exclusive')) await new Promise((resolve) => setTimeout(resolve, 200));
    if (!existsSync(join(shared, 'seed.done'))) {
      rmSync(seed, { recursive: true, force: true });
      await ok(['base', 'create', BASE], { root: seed });
      closeSync(openSync(join(shared, 'seed.done'), 'w'));
    }
    return seed;
  } finally {
    closeSync(lock);
  }
}

function copy(args: readonly string[]): void {
  const done = spawnSync('cp', args, { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`cp ${args.join(' ')}: ${done.stderr}`);
}
