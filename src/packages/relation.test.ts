import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupText, parseRelations } from './relation.ts';

test('groups, alternatives, versions and qualifiers', () => {
  const groups = parseRelations(
    'libc6 (>= 2.36), mawk | gawk:any (<< 2) | awk,\n python3:any, x(=1:2-3) [amd64] <!nocheck>',
  );
  assert.deepEqual(groups.map(groupText), [
    'libc6 (>= 2.36)',
    'mawk | gawk:any (<< 2) | awk',
    'python3:any',
    'x (= 1:2-3)',
  ]);
});

test('the old signs for "or equal"', () => {
  assert.deepEqual(parseRelations('a (< 1), b (> 2)').map(groupText), ['a (<= 1)', 'b (>= 2)']);
});

test('nothing', () => {
  assert.deepEqual(parseRelations(undefined), []);
  assert.deepEqual(parseRelations(' , '), []);
});
