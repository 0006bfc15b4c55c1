import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../../../base/index.ts';
import { BUILDPACK_APIS, checkBuildpackApi, checkPlatformApi, compareApi, parseApi, PLATFORM_APIS } from './api.ts';

test('API versions are read and compared as numbers', () => {
  assert.deepEqual(['0.9', 'v0.10', '1', '01.02', '', '0.x', '0.9.1'].map(parseApi), [
    '0.9',
    '0.10',
    '1.0',
    '1.2',
    undefined,
    undefined,
    undefined,
  ]);
  assert.ok(compareApi('0.9', '0.10') < 0);
  assert.ok(compareApi('1.0', '0.15') > 0);
  assert.equal(compareApi('0.12', '0.12'), 0);
});

test('Platform APIs 0.7 to 0.15 are taken, others and none are refused', () => {
  assert.deepEqual(PLATFORM_APIS.map(checkPlatformApi), PLATFORM_APIS);
  assert.equal(PLATFORM_APIS.length, 9);
  for (const wrong of [undefined, '', ' ', '0.6', '0.16', '1.0', 'x'])
    assert.throws(
      () => checkPlatformApi(wrong),
      (error) => hasCode(error, 'CNB_PLATFORM_API_UNSUPPORTED'),
    );
});

test('Buildpack APIs 0.7 to 0.12 are taken, others are refused by name', () => {
  const module = { kind: 'buildpack', id: 'a/b', version: '1.0.0' } as const;
  assert.deepEqual(
    BUILDPACK_APIS.map((api) => checkBuildpackApi({ ...module, api })),
    BUILDPACK_APIS,
  );
  for (const api of ['0.6', '0.13', '2'])
    assert.throws(
      () => checkBuildpackApi({ ...module, api }),
      (error) => hasCode(error, 'CNB_BUILDPACK_API_UNSUPPORTED') && error.message.includes('"a/b@1.0.0"'),
    );
});
