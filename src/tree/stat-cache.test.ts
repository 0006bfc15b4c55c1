import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { systemRandom, type Clock } from '../base/index.ts';
import { digestOf, type Digest } from '../blob/index.ts';
import { folderSource } from './folder-source.ts';
import { StatCache, type FileStat } from './stat-cache.ts';

function temporary(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'strake-stats-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

/** A clock that is `ahead` milliseconds ahead of the file system's. */
const clockAhead = (ahead: number): Clock => ({ now: () => Date.now() + ahead });

function open(folder: string, ahead = 10_000): StatCache {
  return new StatCache(folder, { clock: clockAhead(ahead), random: systemRandom });
}

const stat = (ino: number, change: Partial<FileStat> = {}): FileStat => ({
  dev: 1,
  ino,
  size: 10,
  mtime: 100,
  mtimeNs: 5,
  ctime: 100,
  ctimeNs: 7,
  ...change,
});

function known(cache: StatCache, path: string, s: FileStat): Digest | undefined {
  const table = cache.of('/root').table();
  const record = table.find(path, s);
  return record < 0 ? undefined : table.digest(record);
}

test('a digest is known again by its stat data, by another process too', (t) => {
  const folder = temporary(t);
  const cache = open(folder);
  const stats = cache.of('/root');
  for (let i = 0; i < 1000; i++)
    stats.add(`dir/file${i}`, stat(i), { digest: digestOf(`${i}`), xattrs: i === 7, readAt: Date.now() });
  stats.save();
  for (const reader of [cache, open(folder)]) {
    for (let i = 0; i < 1000; i++) assert.equal(known(reader, `dir/file${i}`, stat(i)), digestOf(`${i}`));
    assert.equal(known(reader, 'dir/file8', stat(7)), undefined, 'the path counts');
    for (const change of [
      { dev: 2 },
      { ino: 8 },
      { size: 11 },
      { mtime: 101 },
      { mtimeNs: 6 },
      { ctime: 101 },
      { ctimeNs: 8 },
    ])
      assert.equal(known(reader, 'dir/file7', stat(7, change)), undefined, JSON.stringify(change));
    const table = reader.of('/root').table();
    assert.equal(table.hasXattrs(table.find('dir/file7', stat(7))), true);
    assert.equal(table.hasXattrs(table.find('dir/file8', stat(8))), false);
    assert.equal(reader.of('/other').table().find('dir/file7', stat(7)), -1);
  }
});

test('a file changed in the tick it was read in is not trusted', (t) => {
  const stats = open(temporary(t)).of('/root');
  const digest = digestOf('x');
  const now = 2_000_000_000_000;
  const cases: [FileStat, boolean][] = [
    [stat(1, { ctime: 2_000_000_000, ctimeNs: 0 }), false],
    [stat(2, { ctime: 1_999_999_999, ctimeNs: 980_000_000 }), false],
    [stat(3, { ctime: 1_999_999_999, ctimeNs: 900_000_000 }), true],
    [stat(4, { ctime: 1_999_999_999, ctimeNs: 0 }), false],
    [stat(5, { ctime: 1_999_999_997, ctimeNs: 0 }), true],
    [stat(6, { ctime: 2_000_000_100 }), false],
    [stat(7, { mtime: 2_100_000_000 }), true],
  ];
  for (const [s] of cases) stats.add('f', s, { digest, xattrs: false, readAt: now });
  stats.save();
  for (const [s, trusted] of cases) assert.equal(stats.table().find('f', s) >= 0, trusted, `inode ${s.ino}`);
});

test('records that nobody asks for go after a while, and so do folders', (t) => {
  const folder = temporary(t);
  const add = (cache: StatCache, path: string, s: FileStat): void => {
    const stats = cache.of('/root');
    stats.add(path, s, { digest: digestOf(path), xattrs: false, readAt: Date.now() });
    stats.save();
  };
  add(open(folder), 'old', stat(1));
  add(open(folder), 'asked', stat(2));
  for (let i = 0; i < 20; i++) {
    const cache = open(folder);
    assert.ok(known(cache, 'asked', stat(2)));
    add(cache, `new${i}`, stat(100 + i));
  }
  assert.equal(known(open(folder), 'old', stat(1)), undefined);
  for (let i = 0; i < 100; i++) {
    const stats = open(folder).of(`/root${i}`);
    stats.add('x', stat(1), { digest: digestOf('x'), xattrs: false, readAt: Date.now() });
    stats.save();
  }
  assert.ok(readdirSync(folder).length <= 64);
});

test('a damaged cache is an empty one', (t) => {
  const folder = temporary(t);
  const stats = open(folder).of('/root');
  stats.add('f', stat(1), { digest: digestOf('x'), xattrs: false, readAt: Date.now() });
  stats.save();
  const path = join(folder, readdirSync(folder)[0]!);
  truncateSync(path, statSync(path).size - 1);
  assert.equal(known(open(folder), 'f', stat(1)), undefined);
  writeFileSync(path, Buffer.alloc(100));
  assert.equal(known(open(folder), 'f', stat(1)), undefined);
  rmSync(path);
  mkdirSync(path);
  assert.equal(known(open(folder), 'f', stat(1)), undefined);
});

test('a cache that cannot be written is done without', (t) => {
  const folder = temporary(t);
  writeFileSync(join(folder, 'file'), '');
  const stats = open(join(folder, 'file/below')).of('/root');
  stats.add('f', stat(1), { digest: digestOf('x'), xattrs: false, readAt: Date.now() });
  stats.save();
  assert.ok(stats.table().find('f', stat(1)) >= 0);
});

test('a context is digested from the cache, and changes are seen', async (t) => {
  const folder = temporary(t);
  const context = temporary(t);
  for (let i = 0; i < 20; i++) writeFileSync(join(context, `file${i}`), `content ${i}`);
  const digests = async (): Promise<readonly Digest[]> => {
    const tree = await folderSource(context, { cache: open(folder) }).tree({});
    return tree.digests(await tree.entries());
  };
  const first = await digests();
  const [name] = readdirSync(folder);
  const before = statSync(join(folder, name!)).mtimeMs;
  assert.deepEqual(await digests(), first);
  assert.equal(statSync(join(folder, name!)).mtimeMs, before, 'nothing new, nothing written');
  const old = statSync(join(context, 'file3'));
  writeFileSync(join(context, 'file3'), 'CONTENT 3');
  utimesSync(join(context, 'file3'), old.atime, old.mtime);
  const second = await digests();
  assert.equal(second.filter((digest, i) => digest !== first[i]).length, 1);
  assert.ok(second.includes(digestOf('CONTENT 3')));
});
