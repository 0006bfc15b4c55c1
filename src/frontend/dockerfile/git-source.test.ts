import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseGitRef } from '../../graph/index.ts';
import { gitSource, redactedRemote } from './git-source.ts';

const source = (text: string): object => {
  const ref = parseGitRef(text);
  assert.ok(ref, text);
  return JSON.parse(JSON.stringify(gitSource(ref))) as object;
};

test('a source says only what is not the default', () => {
  const base = { type: 'git', url: 'https://h/x.git' };
  assert.deepEqual(source('https://h/x.git'), base);
  assert.deepEqual(source('https://h/x.git?keep-git-dir=0&submodules=1&mtime=commit&fetch-by-commit=false'), base);
  assert.deepEqual(source('https://h/x.git?keep-git-dir&submodules=0&mtime=checkout&commit=01&fetch-by-commit#v1:d'), {
    ...base,
    ref: 'v1',
    subdir: 'd',
    checksum: '01',
    keepGitDir: true,
    submodules: false,
    fetchByCommit: true,
    mtime: 'checkout',
  });
  assert.deepEqual(source('github.com/a/b#c'), { type: 'git', url: 'https://github.com/a/b', ref: 'c' });
});

test('what is shown of an address has neither password nor query', () => {
  assert.equal(redactedRemote('https://u:p@h/x.git?token=1#v1:d'), 'https://h/x.git#v1:d');
  assert.equal(redactedRemote('git@h:x#v1'), 'git@h:x#v1');
});
