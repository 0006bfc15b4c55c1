import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoff, RETRY, retryAfter } from './retry.ts';

test('the wait doubles up to its bound, and lies between half and all of it', () => {
  const [least, most] = [{ hex: () => '0000' }, { hex: () => 'ffff' }];
  assert.deepEqual(
    [1, 2, 3, 9].map((failures) => backoff(failures, RETRY, most)),
    [250, 500, 1000, 8000],
  );
  assert.deepEqual(
    [1, 2, 3, 9].map((failures) => backoff(failures, RETRY, least)),
    [125, 250, 500, 4000],
  );
});

test('Retry-After is seconds or a date', () => {
  const clock = { now: () => Date.parse('2024-01-01T00:00:00Z') };
  assert.equal(retryAfter('7', clock), 7000);
  assert.equal(retryAfter('Mon, 01 Jan 2024 00:01:00 GMT', clock), 60_000);
  assert.equal(retryAfter('Mon, 01 Jan 2023 00:00:00 GMT', clock), 0);
  assert.equal(retryAfter('soon', clock), undefined);
  assert.equal(retryAfter(undefined, clock), undefined);
});
