import assert from 'node:assert/strict';
import { test } from 'node:test';
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
