import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { digestOf } from '../../blob/index.ts';
import { compareLists, pieceOf, type Piece } from './build-history.ts';
import { compareMembers, membersOf, piecesOf, type Member } from './member-list.ts';

const pieces = (members: Iterable<Member>): Piece[] => Array.from(piecesOf(members), pieceOf);

const member = fc.record(
  {
    path: fc.string({ unit: 'grapheme', minLength: 1 }).filter((path) => !path.includes('\0') && path.isWellFormed()),
    digest: fc.option(fc.string().map(digestOf), { nil: undefined }),
    about: fc.constantFrom('file 0644', 'file 0755', 'folder 0755', 'symlink -> b'),
  },
  { noNullPrototype: true },
);
const list = fc
  .uniqueArray(member, { selector: ({ path }) => path, maxLength: 600 })
  .map((members) => members.sort((a, b) => (a.path < b.path ? -1 : 1)));

test('a list written as pieces is the same when it is read', () => {
  fc.assert(
    fc.property(list, (members) => {
      assert.deepEqual([...piecesOf(members)].flatMap(membersOf), members);
    }),
  );
});

test('two lists compared by the pieces they do not share differ as they do when compared whole', () => {
  fc.assert(
    fc.property(list, list, (some, others) => {
      const before = [...some, ...others.slice(0, 20)].sort((a, b) => (a.path < b.path ? -1 : 1));
      const whole = compareMembers(before, some);
      assert.deepEqual(compareLists(pieces(before), pieces(some)), whole);
      const limited = compareLists(pieces(before), pieces(some), 3);
      assert.deepEqual(limited, { ...whole, paths: whole.paths.slice(0, 3) });
    }),
  );
});

test('of 20,000 members one that changed makes one new piece', () => {
  const members = Array.from({ length: 20_000 }, (_, i) => ({
    path: `dir${i % 100}/file${i}`,
    digest: digestOf(`${i}`),
    about: 'file 0644',
  })).sort((a, b) => (a.path < b.path ? -1 : 1));
  const before = pieces(members);
  const after = pieces(members.map((one, i) => (i === 12_345 ? { ...one, digest: digestOf('changed') } : one)));
  const known = new Set(before.map(({ name }) => name));
  const fresh = after.filter(({ name }) => !known.has(name));
  assert.equal(fresh.length, 1);
  assert.ok((fresh[0]?.bytes().length ?? Infinity) < 100_000);
  const { paths, ...counts } = compareLists(before, after);
  assert.deepEqual(counts, { changed: 1, added: 0, removed: 0 });
  assert.deepEqual(
    paths.map(({ path, change }) => [path, change]),
    [[members[12_345]?.path, 'changed']],
  );
});
