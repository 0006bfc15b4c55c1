import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../base/index.ts';
import { bareHost, checkTarget } from './target.ts';

const allowed = (target: string, from: string): boolean => {
  try {
    checkTarget(new URL(target), new URL(from), 'read blob');
    return true;
  } catch (error) {
    assert.ok(hasCode(error, 'REGISTRY_UNSAFE'));
    return false;
  }
};

test('an answer cannot send us into the local network, out of TLS, or with a login in the URL', () => {
  const registry = 'https://registry.test';
  assert.equal(allowed('https://auth.test/token', registry), true);
  assert.equal(allowed('https://8.8.8.8/token', registry), true);
  for (const target of [
    'http://auth.test/token',
    'http://registry.test/token',
    'https://127.0.0.1/token',
    'https://localhost/token',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://0.0.0.0/',
    'https://10.0.0.1/',
    'https://172.20.0.1/',
    'https://192.168.1.1/',
    'https://[fd00::1]/',
    'https://169.254.169.254/latest/meta-data',
    'https://[fe80::1]/',
    'https://me:secret@auth.test/',
    'file:///etc/passwd',
  ])
    assert.equal(allowed(target, registry), false, target);
});

test('a registry in the local network may name its neighbours, but never link-local ones', () => {
  assert.equal(allowed('http://127.0.0.1:5001/token', 'http://localhost:5000'), true);
  assert.equal(allowed('https://10.0.0.2/token', 'https://10.0.0.1:5000'), true);
  assert.equal(allowed('https://127.0.0.1/token', 'https://10.0.0.1:5000'), false);
  assert.equal(allowed('http://169.254.169.254/', 'http://127.0.0.1:5000'), false);
  assert.equal(allowed('https://192.168.1.1:5000/other', 'https://192.168.1.1:5000'), true);
});

test('a host without its port', () => {
  assert.deepEqual(['a.test:5000', 'a.test', '[::1]:5000', '[::1]', '::1', '127.0.0.1:80'].map(bareHost), [
    'a.test',
    'a.test',
    '::1',
    '::1',
    '::1',
    '127.0.0.1',
  ]);
});
