import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gitSource, parseGitRef, redactedRemote } from './git-ref.ts';

const source = (text: string): object => {
  const ref = parseGitRef(text);
  assert.ok(ref, text);
  return JSON.parse(JSON.stringify(gitSource(ref))) as object;
};

test('repositories are told from paths and from other addresses', () => {
  for (const text of [
    'git@h:x/y',
    'ssh://h/x',
    'git://h/x',
    'https://h/x.git',
    'https://h/x.git#ref:dir',
    'http://h/x.git?ref=a',
    'github.com/a/b',
  ])
    assert.ok(parseGitRef(text), text);
  for (const text of [
    'https://h/x.tgz',
    'a@b',
    'a@b:',
    './git@h:x',
    '../x.git',
    'x.git',
    'https://h/x#a.git',
    'ftp://h/x',
  ])
    assert.equal(parseGitRef(text), undefined, text);
  assert.equal(parseGitRef('github.com/a/b')?.looksLocal, true);
});

test('the fragment names reference and folder', () => {
  const at = (fragment: string): object => source(`https://h/x.git${fragment}`);
  const base = { type: 'git', url: 'https://h/x.git' };
  assert.deepEqual(at(''), base);
  assert.deepEqual(at('#v1'), { ...base, ref: 'v1' });
  assert.deepEqual(at('#v1:a/../b/'), { ...base, ref: 'v1', subdir: 'b' });
  assert.deepEqual(at('#:../a'), { ...base, subdir: 'a' });
  assert.deepEqual(source('git@h:x.git#baz/qux:quux'), {
    type: 'git',
    url: 'git@h:x.git',
    ref: 'baz/qux',
    subdir: 'quux',
  });
  assert.deepEqual(source('github.com/a/b#c'), { type: 'git', url: 'https://github.com/a/b', ref: 'c' });
});

test('the query says the same and more', () => {
  const of = (query: string): object => source(`https://h/x.git?${query}`);
  const base = { type: 'git', url: 'https://h/x.git' };
  assert.deepEqual(of('tag=v1'), { ...base, ref: 'refs/tags/v1' });
  assert.deepEqual(of('tag=refs/tags/v1'), { ...base, ref: 'refs/tags/v1' });
  assert.deepEqual(of('branch=main&subdir=d'), { ...base, ref: 'refs/heads/main', subdir: 'd' });
  assert.deepEqual(of('ref=a#a'), { ...base, ref: 'a' });
  assert.deepEqual(of('commit=0123456'), { ...base, checksum: '0123456' });
  assert.deepEqual(of('checksum=0123456&fetch-by-commit'), { ...base, checksum: '0123456', fetchByCommit: true });
  assert.deepEqual(of('keep-git-dir&submodules=false'), { ...base, keepGitDir: true, submodules: false });
  assert.deepEqual(of('keep-git-dir=0&submodules=1&mtime=checkout'), base);
  assert.deepEqual(of('mtime=commit'), { ...base, mtime: 'commit' });
  assert.deepEqual(source('git@h:x?ref=a'), { type: 'git', url: 'git@h:x', ref: 'a' });
});

test('what contradicts itself or is unknown is refused', () => {
  for (const [query, words] of [
    ['ref=', /query "ref" has no value/],
    ['ref=a&ref=a', /query "ref" has multiple values/],
    ['ref=a#b', /ref conflicts: "b" vs "a"/],
    ['tag=a&branch=a', /branch conflicts with tag/],
    ['tag=a#a', /ref conflicts: "a" vs "refs\/tags\/a"/],
    ['subdir=a#:b', /subdir conflicts/],
    ['mtime=now', /invalid mtime value: "now"/],
    ['submodules=maybe', /invalid submodules value: "maybe"/],
    ['nonsense=1', /unexpected query "nonsense"/],
    ['ref=--upload-pack=x', /invalid git reference/],
  ] as const)
    assert.throws(
      () => parseGitRef(`https://h/x.git?${query}`),
      (error) =>
        error instanceof Error &&
        'code' in error &&
        error.code === 'DOCKERFILE_INSTRUCTION' &&
        words.test(error.message),
      query,
    );
});

test('what is shown of an address has neither password nor query', () => {
  assert.equal(redactedRemote('https://u:p@h/x.git?token=1#v1:d'), 'https://h/x.git#v1:d');
  assert.equal(redactedRemote('git@h:x#v1'), 'git@h:x#v1');
});
