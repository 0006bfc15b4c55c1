import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiHost, isNamed, mergeScopes, scopeOf } from './repository.ts';

test('the push scope stands first, then what is newly demanded, each resource once', () => {
  const [push, pull] = [scopeOf('a/b', 'pull', 'push'), scopeOf('c', 'pull')];
  assert.deepEqual(mergeScopes([pull, push], []), [push, pull]);
  assert.deepEqual(mergeScopes([pull], ['repository:d:pull']), ['repository:d:pull', pull]);
  assert.deepEqual(mergeScopes([pull, push], ['repository:d:pull']), [push, 'repository:d:pull', pull]);
  assert.deepEqual(mergeScopes([pull], ['repository:c:push,delete']), ['repository:c:pull,push,delete']);
  assert.deepEqual(mergeScopes([], ['registry:catalog:*']), ['registry:catalog:*']);
  assert.deepEqual(mergeScopes([pull, scopeOf('d', 'pull')], []), [pull, 'repository:d:pull']);
});

test('insecure hosts are named with or without their port', () => {
  assert.equal(isNamed('r.test:5000', ['r.test:5000']), true);
  assert.equal(isNamed('r.test:5000', ['r.test']), true);
  assert.equal(isNamed('r.test', ['r.test:5000']), false);
  assert.equal(isNamed('[fd00::1]:5000', ['[fd00::1]']), true);
  assert.equal(isNamed('sub.r.test', ['r.test']), false);
});

test('Docker Hub is spoken to under its own name', () => {
  assert.deepEqual(['docker.io', 'index.docker.io', 'ghcr.io'].map(apiHost), [
    'registry-1.docker.io',
    'registry-1.docker.io',
    'ghcr.io',
  ]);
});
