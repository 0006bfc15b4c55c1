import { spawnSync } from 'node:child_process';
import { chownSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sys } from '../../src/base/index.ts';
import { CHECKOUT, ok, strake } from './strake.ts';
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
  return storeLike(await seedStore(), user);
}

/** Folder of the embedded buildpacks, and of the strake.toml that names the builder's bases. */
export const BUILDPACKS: string = join(CHECKOUT, 'buildpacks');

/** A store in which the embedded builder's bases are made already, `packages.local/cnb-build` and `packages.local/cnb-run`. */
export async function storeWithBuilder(user?: TestUser): Promise<TestStore> {
  const seed = await seeded('builder', async (root) => {
    // What they are made of is fetched by then.
    copyStore(await seedStore(), root, { unpacked: true });
    for (const name of ['cnb-build', 'cnb-run']) await ok(['base', 'create', name], { root, cwd: BUILDPACKS });
    for (const name of ['cnb-build', 'cnb-run']) await unpacked(root, `packages.local/${name}`);
  });
  return storeLike(seed, user);
}

function storeLike(seed: string, user?: TestUser): TestStore {
  const store = emptyStore(user);
  copyStore(seed, store.root, { unpacked: user === undefined });
  if (user) {
    // A link to root's file would be changed with it.
    rmSync(join(store.root, 'blobs'), { recursive: true });
    copy(['-a', join(seed, 'blobs'), store.root]);
    spawnSync('chown', ['-R', `${user.uid}:${user.gid}`, store.root]);
  }
  return store;
}

/** Blobs never change, nor do unpacked bases, so links will do; everything else is copied. */
function copyStore(from: string, to: string, o: { unpacked: boolean }): void {
  mkdirSync(to);
  copy(['-al', join(from, 'blobs'), to]);
  for (const name of ['strake.db', 'strake.db-wal', 'strake.db-shm', 'packages'])
    if (existsSync(join(from, name))) copy(['-a', join(from, name), to]);
  const snapshots = join(from, SNAPSHOTS);
  const bases = o.unpacked && existsSync(snapshots) ? readdirSync(snapshots).filter((name) => /^\d+$/.test(name)) : [];
  if (bases.length === 0) return;
  mkdirSync(join(to, SNAPSHOTS), { recursive: true, mode: 0o700 });
  copy(['-al', ...bases.map((name) => join(snapshots, name)), join(to, SNAPSHOTS)]);
}

const SNAPSHOTS = 'ground/snapshots';

function seedStore(): Promise<string> {
  return seeded('seed', async (root) => {
    await ok(['base', 'create', BASE], { root });
    await unpacked(root, BASE);
  });
}

/** Unpacks an image into a store of root's, so that no copy of it has to. */
async function unpacked(root: string, image: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const ran = await strake(['run', '--rm', '--entrypoint', 'true', image], { root });
  if (ran.code !== 0) return;
  // So that no copy asks for it to be brought to the disk.
  using database = new DatabaseSync(join(root, 'strake.db'));
  database.exec('UPDATE snapshots SET settled = 1');
}

/** A store that the first who asks makes, for all of this run. */
async function seeded(name: string, make: (root: string) => Promise<void>): Promise<string> {
  const seed = join(shared, name);
  mkdirSync(shared, { recursive: true });
  const lock = openSync(join(shared, `${name}.lock`), 'a');
  try {
    while (!sys.flock(lock, 'exclusive')) await new Promise((resolve) => setTimeout(resolve, 200));
    if (!existsSync(join(shared, `${name}.done`))) {
      rmSync(seed, { recursive: true, force: true });
      await make(seed);
      closeSync(openSync(join(shared, `${name}.done`), 'w'));
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
