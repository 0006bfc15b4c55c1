import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { CodedError } from '../base/index.ts';
import { parseGitRef, type GitRef } from './git-ref.ts';

const plain = (text: string): GitRef => JSON.parse(JSON.stringify(parseGitRef(text, { local: true }))) as GitRef;

suite('addresses of repositories', () => {
  test('what is one', () => {
    const remote = 'https://h.example/b.git';
    for (const [text, place] of [
      ['https://h.example/a/b.git', { remote: 'https://h.example/a/b.git' }],
      ['HTTPS://h.example/b.git', { remote: 'HTTPS://h.example/b.git' }],
      [`${remote}#v1`, { remote, ref: 'v1' }],
      [`${remote}#v1:sub/dir`, { remote, ref: 'v1', subdir: 'sub/dir' }],
      [`${remote}#:sub`, { remote, subdir: 'sub' }],
      [`${remote}#a%20b:../../c/`, { remote, ref: 'a b', subdir: 'c' }],
      [`${remote}#refs/pull/7/head`, { remote, ref: 'refs/pull/7/head' }],
      [`${remote}?branch=main&subdir=/s/`, { remote, ref: 'refs/heads/main', subdir: 's' }],
      [`${remote}?tag=v1`, { remote, ref: 'refs/tags/v1' }],
      [`${remote}?tag=refs/tags/v1&commit=abc`, { remote, ref: 'refs/tags/v1', checksum: 'abc' }],
      [
        `${remote}?ref=x&checksum=ab&keep-git-dir&submodules=false`,
        { remote, ref: 'x', checksum: 'ab', keepGitDir: true, submodules: false },
      ],
      [`${remote}?ref=x#x:d`, { remote, ref: 'x', subdir: 'd' }],
      [`${remote}?mtime=commit&fetch-by-commit=1`, { remote, mtime: 'commit', fetchByCommit: true }],
      ['https://user:pw@h.example/b.git', { remote: 'https://user:pw@h.example/b.git' }],
      ['git@h.example:a/b.git#x', { remote: 'git@h.example:a/b.git', ref: 'x' }],
      ['git@h.example:a/b?tag=v2', { remote: 'git@h.example:a/b', ref: 'refs/tags/v2' }],
      ['ssh://git@h.example/a', { remote: 'ssh://git@h.example/a' }],
      ['git://h.example/a', { remote: 'git://h.example/a' }],
      ['github.com/a/b', { remote: 'https://github.com/a/b', likePath: true }],
      ['file:///srv/a', { remote: 'file:///srv/a' }],
    ] as const)
      assert.deepEqual(plain(text), place, text);
  });

  test('what is none', () => {
    for (const text of [
      '.',
      './x.git',
      '../git@h:x',
      '/x',
      'x.git',
      'https://h.example/a.tar.gz',
      'https://h.example/.gitx',
      'https://x.git',
      'a@b',
      'C:/x',
      '-',
      'file:///srv/a',
      'ftp://h/x.git',
    ])
      assert.equal(parseGitRef(text), undefined, text);
  });

  test('what contradicts itself or would lead elsewhere is refused, and no password is repeated', () => {
    for (const [rest, message] of [
      ['#--upload-pack=x', /begins with "-"/],
      ['?ref=--x', /begins with "-"/],
      ['?depth=3', /unexpected query "depth"/],
      ['?ref=a&ref=b', /multiple values/],
      ['?ref=', /has no value/],
      ['?ref=a#b', /ref conflicts: "b" vs "a"/],
      ['?subdir=a#:b', /subdir conflicts/],
      ['?tag=a&branch=b', /branch conflicts with tag/],
      ['?ref=a&tag=a', /ref conflicts/],
      ['?mtime=now', /invalid mtime/],
      ['?submodules=no', /invalid submodules/],
      ['#%zz', /hex digits/],
    ] as const)
      assert.throws(
        () => parseGitRef(`https://u:hunter2@h.example/b.git${rest}`),
        (error: Error) => message.test(error.message) && !error.message.includes('hunter2'),
        rest,
      );
  });

  test('nothing but its own error, whatever is asked', () => {
    const piece = fc.constantFrom(
      'https://',
      'git@',
      'h.example',
      ':',
      '/',
      '.git',
      '?',
      '#',
      'ref=',
      '&',
      '%',
      '-',
      'tag',
      '=',
      '..',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 4 })), { maxLength: 10 }), (pieces) => {
        try {
          const found = parseGitRef(pieces.join(''));
          assert.ok(!found?.subdir?.split('/').includes('..'));
        } catch (error) {
          assert.ok(error instanceof CodedError, String(error));
        }
      }),
    );
  });
});
