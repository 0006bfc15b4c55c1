import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stale } from '../../proto/build.ts';

test('the generated code is what the .proto files give', () => {
  assert.deepEqual(stale(), []);
});
