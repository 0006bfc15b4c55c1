import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseChallenges } from './challenge.ts';

const read = (...headers: string[]): unknown =>
  parseChallenges(headers).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

test('challenges are read from one header or several, whatever stands between', () => {
  assert.deepEqual(read('Bearer realm="https://auth.test/token",service="reg",scope="repository:a/b:pull,push"'), [
    ['bearer', { realm: 'https://auth.test/token', service: 'reg', scope: 'repository:a/b:pull,push' }],
  ]);
  assert.deepEqual(read('Negotiate', 'Basic realm="x"'), [
    ['negotiate', {}],
    ['basic', { realm: 'x' }],
  ]);
  assert.deepEqual(read('Negotiate YWJjZA==, NTLM, Basic Realm = "a \\"b\\", c" , charset=UTF-8'), [
    ['negotiate', {}],
    ['ntlm', {}],
    ['basic', { realm: 'a "b", c', charset: 'UTF-8' }],
  ]);
  assert.deepEqual(read(''), []);
  assert.deepEqual(read('Bearer realm="never ends'), [['bearer', { realm: 'never ends' }]]);
});

test('no header makes the reader fail or go on for ever', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom('B', 'a', '=', '"', '\\', ',', ' ', '/', ';') })),
      (headers) => {
        for (const { scheme } of parseChallenges(headers)) assert.notEqual(scheme, '');
      },
    ),
  );
});

test('a challenge that was written is read back', () => {
  const value = fc.string().filter((text) => !/[^\x20-\x7e]/.test(text));
  const parameters = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), value);
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z]{1,8}$/), parameters, (scheme, wanted) => {
      const written = Object.entries(wanted).map(([name, text]) => `${name}="${text.replace(/["\\]/g, '\\$&')}"`);
      assert.deepEqual(read(`${scheme} ${written.join(', ')}`), [[scheme.toLowerCase(), { ...wanted }]]);
    }),
  );
});
