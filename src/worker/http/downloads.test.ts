import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Database } from '../../base/index.ts';
import { digestOf } from '../../blob/index.ts';
import { Downloads } from './downloads.ts';

test('downloads are found by address, counted by content, forgotten by content', () => {
  using database = Database.open(':memory:');
  let now = 1;
  const downloads = new Downloads(database, { now: () => now });
  const [one, two] = [digestOf('one'), digestOf('two')];
  const whole = { digest: one, size: 3, etag: '"1"', lastModified: 'then', settled: true, disposition: 'x' };
  downloads.put('https://h/a', whole);
  downloads.put('https://h/b', { digest: one, size: 3, settled: false });
  now = 2;
  downloads.put('https://h/c', { digest: two, size: 4, settled: false });
  assert.deepEqual(downloads.find('https://h/a'), whole);
  assert.equal(downloads.find('https://h/b')?.etag, undefined);
  assert.equal(downloads.find('https://h/d'), undefined);
  assert.deepEqual(downloads.list(), [
    { digest: one, size: 3, usedAt: 1 },
    { digest: two, size: 4, usedAt: 2 },
  ]);
  now = 3;
  downloads.touch('https://h/b');
  assert.deepEqual(
    downloads.list().map(({ digest }) => digest),
    [two, one],
  );
  downloads.forget(one);
  assert.deepEqual([downloads.has(one), downloads.has(two), downloads.find('https://h/a')], [false, true, undefined]);
  // An address may be signed: it is kept nowhere.
  assert.ok(!JSON.stringify(database.all('SELECT * FROM downloads')).includes('h/c'));
});
