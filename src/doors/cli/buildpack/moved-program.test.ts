import assert from 'node:assert/strict';
import { test } from 'node:test';
import { movedLoader, replaced } from './moved-program.ts';

const texts = (bytes: Buffer): string[] => bytes.toString('latin1').split('\0').filter(Boolean);

test('a loader looks below its new home, in the bytes that it had', () => {
  const loader = Buffer.from(
    '\x7fELF\0/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0/etc/ld.so.cache\0/etc/ld.so.preload\0/lib/kept\0',
  );
  const moved = movedLoader(loader, '/cnb/lifecycle');
  assert.equal(moved.length, loader.length);
  assert.deepEqual(texts(moved), [
    '\x7fELF',
    '/cnb/lifecycle/lib////',
    '/cnb/lifecycle/lib////////',
    '/sys/',
    '/sys/////',
    '/sys/ld.cache///',
    '/sys/ld.preload///',
    '/lib/kept',
  ]);
  // One that was moved before.
  const first = movedLoader(loader, '/strake');
  assert.deepEqual(texts(movedLoader(first, '/cnb/lifecycle')).slice(1, 3), texts(moved).slice(1, 3));
  assert.throws(
    () => movedLoader(Buffer.from('/lib/\0'), '/cnb/lifecycle'),
    /nothing in it has room for "\/cnb\/lifecycle\/lib"/,
  );
  assert.throws(() => replaced(loader, [['/lib/', '/longer/', '/']]), /it cannot be/);
});
