import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { comparePaths, sortEntries } from './compare-entries.ts';
import { decodePath, encodePath, fsPath } from './path-text.ts';

const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 12 }),
  fc
    .array(fc.constantFrom(0x2f, 0x61, 0xc3, 0xa9, 0xed, 0xa0, 0x80, 0xf0, 0x9f, 0x98, 0xff, 0xf4), { maxLength: 10 })
    .map((a) => Uint8Array.from(a)),
);

test('any bytes come back from their text', () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      assert.deepEqual(Buffer.from(encodePath(decodePath(bytes))), Buffer.from(bytes));
    }),
    { numRuns: 3000 },
  );
});

test('UTF-8 is its text, other bytes are surrogates', () => {
  assert.equal(decodePath(Buffer.from('é/日本/😀')), 'é/日本/😀');
  assert.equal(decodePath(Buffer.from([0x61, 0xe9, 0x62])), 'a\udce9b');
  assert.equal(decodePath(Buffer.from([0xed, 0xa0, 0x80])), '\udced\udca0\udc80');
  assert.deepEqual(encodePath('x\ud800y'), Buffer.from('x\ufffdy'));
});

test('paths for the file system are strings unless only bytes can name them', () => {
  assert.equal(fsPath('/r', 'a/b'), '/r/a/b');
  assert.equal(fsPath('/', 'a'), '/a');
  assert.equal(fsPath('/r', ''), '/r');
  assert.deepEqual(fsPath('/r', 'a\udcff'), Buffer.from([0x2f, 0x72, 0x2f, 0x61, 0xff]));
});

test('order is by bytes with "/" lowest', () => {
  const oracle = (a: Uint8Array, b: Uint8Array): number => {
    const low = (bytes: Uint8Array): Buffer => Buffer.from(bytes.map((x) => (x === 0x2f ? 0 : x)));
    return Math.sign(Buffer.compare(low(a), low(b)));
  };
  const named = anyBytes.map((bytes) => bytes.filter((x) => x !== 0));
  fc.assert(
    fc.property(named, named, (a, b) => {
      assert.equal(Math.sign(comparePaths(decodePath(a), decodePath(b))), oracle(a, b));
    }),
    { numRuns: 3000 },
  );
  const sorted = ['a', 'a/z', 'a-b', 'a.b', 'ab', '\uffee', '😀'];
  assert.deepEqual(sorted.toReversed().sort(comparePaths), sorted);
});

test('the fast sort is the canonical one', () => {
  const path = fc.oneof(
    fc.stringMatching(/^[ab./-]{0,6}$/),
    anyBytes.map((bytes) => decodePath(bytes)),
  );
  fc.assert(
    fc.property(fc.array(path, { maxLength: 12 }), (paths) => {
      const entries = paths.map(
        (p) => ({ path: p, type: 'file', mode: 0, uid: 0, gid: 0, size: 0, mtime: 0, mtimeNs: 0 }) as const,
      );
      assert.deepEqual(
        sortEntries(entries).map((e) => e.path),
        paths.toSorted(comparePaths),
      );
    }),
  );
});
