import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemRandom, tempFolder } from '../../../base/index.ts';
import { sharedKeyOf } from './client-id.ts';

test('a folder has a key of its own in each store, the same each time', () => {
  using temp = tempFolder(tmpdir(), systemRandom);
  const keyOf = (store: string, folder: string) =>
    sharedKeyOf(folder, { root: join(temp.path, store), random: systemRandom });
  const key = keyOf('one', '/app');
  assert.match(key ?? '', /^[0-9a-f]{64}$/);
  assert.equal(keyOf('one', '/app'), key);
  assert.notEqual(keyOf('one', '/other'), key);
  assert.notEqual(keyOf('two', '/app'), key);
  assert.equal(statSync(join(temp.path, 'one/client-id')).mode & 0o777, 0o600);
  assert.equal(keyOf('one/client-id', '/app'), undefined);
});
