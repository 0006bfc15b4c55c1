import assert from 'node:assert/strict';
import { test } from 'node:test';
import { editDistance } from './edit-distance.ts';

test('a swap counts one', () => {
  assert.equal(editDistance('biuld', 'build'), 1);
  assert.equal(editDistance('', 'abc'), 3);
  assert.equal(editDistance('dockerfile', 'dockefile'), 1);
  assert.equal(editDistance('kitten', 'sitting'), 3);
});
