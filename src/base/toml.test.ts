import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError } from './error.ts';
import { parseToml } from './toml.ts';

test('TOML is read, and what does not parse is shown with its place', () => {
  assert.equal(JSON.stringify(parseToml('[bases.a]\nsuite = "x"\n', 'f')), '{"bases":{"a":{"suite":"x"}}}');
  assert.throws(
    () => parseToml('a = 1\nb = = 2\n', 'strake.toml'),
    (error) =>
      error instanceof CodedError &&
      error.code === 'INVALID_TOML' &&
      error.place?.line === 2 &&
      error.place.text === 'b = = 2' &&
      error.message.startsWith('read "strake.toml": '),
  );
});
