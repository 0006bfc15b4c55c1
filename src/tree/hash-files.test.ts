import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock, systemRandom, tempFolder } from '../base/index.ts';
import { digestOf } from '../blob/index.ts';
import { closeCodecs } from './codec-pool.ts';
import { folderSource } from './folder-source.ts';
import { StatCache } from './stat-cache.ts';

test('a folder of many files is hashed on workers: the same digests, and what has changed is told', async () => {
  using temp = tempFolder(tmpdir(), systemRandom);
  const root = join(temp.path, 'context');
  mkdirSync(root);
  // More than is worth the workers, by the number of files; some larger than what is read at once, and one whose name is no UTF-8.
  const content = (i: number): Buffer => Buffer.alloc(i % 700 === 0 ? 2_500_000 + i : i % 97, `${i} `);
  const name = (i: number): string => `${String(i).padStart(4, '0')}${i % 50 === 0 ? 'ä' : ''}`;
  for (let i = 0; i < 2200; i++) writeFileSync(join(root, name(i)), content(i));
  writeFileSync(Buffer.concat([Buffer.from(root), Buffer.from('/z\xff', 'latin1')]), 'odd');
  const cache = new StatCache(join(temp.path, 'stats'), { clock: systemClock, random: systemRandom });
  const source = folderSource(root, { cache });
  try {
    const tree = await source.tree({});
    const files = await tree.entries();
    const digests = await tree.digests(files);
    assert.equal(files.length, 2201);
    assert.deepEqual(
      digests,
      files.map((_, i) => digestOf(i === 2200 ? Buffer.from('odd') : content(i))),
    );

    const spoilt: readonly ((path: string) => void)[] = [
      (path) => writeFileSync(path, 'another content'),
      (path) => rmSync(path),
      (path) => {
        renameSync(path, `${path}.away`);
        symlinkSync(`${path}.away`, path);
      },
    ];
    for (const spoil of spoilt) {
      const before = await folderSource(root, { cache: fresh(temp.path) }).tree({});
      const entries = await before.entries();
      spoil(join(root, name(1500)));
      await assert.rejects(before.digests(entries), { code: 'FILE_CHANGED', message: /"1500ä"/ });
      rmSync(join(root, name(1500)), { force: true });
      rmSync(join(root, `${name(1500)}.away`), { force: true });
      writeFileSync(join(root, name(1500)), 'there again');
    }
    const gone = new AbortController();
    const left = await folderSource(root, { cache: fresh(temp.path) }).tree({});
    const entries = await left.entries();
    gone.abort(new Error('enough'));
    await assert.rejects(left.digests(entries, { signal: gone.signal }), { kind: 'cancelled' });
  } finally {
    await closeCodecs();
  }
});

function fresh(folder: string): StatCache {
  return new StatCache(join(folder, systemRandom.hex(8)), { clock: systemClock, random: systemRandom });
}
