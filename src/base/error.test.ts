import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CodedError, errorTable, hasCode, hasErrno, kindOf, messageOf, reasonOf, systemFailure } from './error.ts';

const fail = errorTable({ BLOB_LOST: 'not_found', DISK_FULL: 'exhausted' });

test('a table makes errors with code, kind and what else is known', () => {
  const cause = new Error('why');
  const error = fail('BLOB_LOST', 'open "x": gone', {
    cause,
    remedy: 'Fetch it again.',
    place: { file: 'f', line: 1 },
  });
  assert.ok(error instanceof CodedError && error instanceof Error);
  assert.deepEqual(
    [error.code, error.kind, error.message, error.remedy, error.cause, error.place?.line],
    ['BLOB_LOST', 'not_found', 'open "x": gone', 'Fetch it again.', cause, 1],
  );
  assert.deepEqual(fail.table, { BLOB_LOST: 'not_found', DISK_FULL: 'exhausted' });
  assert.equal('cause' in fail('DISK_FULL', 'x'), false);
  const helped = errorTable({ A: 'failed' }, { A: 'Do this.' });
  assert.equal(helped('A', 'm').remedy, 'Do this.');
  assert.equal(helped('A', 'm', { remedy: 'Do that.' }).remedy, 'Do that.');
  assert.ok(hasCode(error, 'OTHER', 'BLOB_LOST'));
  assert.ok(!hasCode(error, 'OTHER') && !hasCode(cause, 'BLOB_LOST') && !hasCode(undefined, 'BLOB_LOST'));
});

test('what was thrown has a kind and one line', () => {
  const errnoOf = (path: string): unknown => {
    try {
      return readFileSync(path);
    } catch (error) {
      return error;
    }
  };
  assert.equal(kindOf(errnoOf('/no such file')), 'not_found');
  assert.ok(hasErrno(errnoOf('/no such file'), 'EACCES', 'ENOENT'));
  assert.equal(kindOf(Object.assign(new Error('full'), { code: 'ENOSPC' })), 'exhausted');
  assert.equal(kindOf(new DOMException('stop', 'AbortError')), 'cancelled');
  assert.equal(kindOf(fail('DISK_FULL', 'x')), 'exhausted');
  for (const odd of [undefined, null, 'text', new TypeError('bug'), { code: 7 }]) assert.equal(kindOf(odd), 'internal');
  assert.equal(messageOf(new Error('m')), 'm');
  assert.equal(messageOf('m'), 'm');
  assert.equal(messageOf(errnoOf('/no such file')), 'no such file or folder (open "/no such file")');
  assert.equal(messageOf(errnoOf('/')), 'it is a folder');
  assert.equal(reasonOf(errnoOf('/no such file')), 'no such file or folder');
  assert.equal(reasonOf('m'), 'm');
  assert.equal(messageOf(fail('DISK_FULL', 'm')), 'm');
  const refused = { errno: -111, code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1', port: 9 };
  assert.equal(messageOf(Object.assign(new Error('x'), refused)), 'connection refused (connect 127.0.0.1:9)');
  const spawned = { errno: -2, code: 'ENOENT', syscall: 'spawn a', path: 'a' };
  assert.equal(messageOf(Object.assign(new Error('x'), spawned)), 'no such file or folder (start "a")');
  assert.equal(systemFailure(new Error('x')), undefined);
  const twice = new SuppressedError(
    new Error('giving back'),
    new SuppressedError(undefined, fail('DISK_FULL', 'first')),
  );
  assert.deepEqual([kindOf(twice), messageOf(twice)], ['exhausted', 'first']);
});
