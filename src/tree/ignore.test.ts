import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { PatternMatcher, readIgnoreFile } from './ignore.ts';

test('readIgnoreFile keeps to the rules of the file', () => {
  const text = '\ufeff# comment\r\n\n  /leading \n !  /kept/ \nsub/./dir/../x/\n # no comment\n!\n/\n\t\nnode_modules';
  assert.deepEqual(readIgnoreFile(text), ['leading', '!kept', 'sub/x', '# no comment', '!', '/', 'node_modules']);
  assert.deepEqual(readIgnoreFile(''), []);
});

/** patterns, paths that match, paths that do not. */
const CASES: readonly (readonly [readonly string[], readonly string[], readonly string[]])[] = [
  [['**'], ['file', 'file/', 'a/b'], []],
  [['**/'], ['file', 'a/b'], []],
  [['**/**'], ['dir/file', 'x'], []],
  [['dir/**'], ['dir/file', 'dir/dir2/file'], ['dir', 'dirx']],
  [['**/dir'], ['dir', 'dir/file', 'a/dir', 'a/dir/b'], ['dirx']],
  [['**/dir2/*'], ['dir/dir2/file', 'dir/dir2/dir2/file', 'dir/dir2/a/b'], ['dir2']],
  [['**file'], ['file', 'dir/file', 'dir/dirfile'], ['filex']],
  [['**/file*txt'], ['dir/file.txt', 'file-txt'], ['dir/file']],
  [['**/*.txt'], ['a.txt', 'dir/dir/file.txt'], ['a.txtx']],
  [['a/**/b'], ['a/b', 'a/x/y/b', 'a/b/below'], ['a', 'b', 'a/xb/c']],
  [['a**/*.txt'], ['a/file.txt', 'a/dir/file.txt', 'a/dir/dir/file.txt'], ['b/file.txt']],
  [['a[b-d]e'], ['ace', 'ace/x'], ['aae', 'afe']],
  [['a[^a]e'], ['abe'], ['aae']],
  [['a\\[b\\]'], ['a[b]'], ['ab']],
  [['a?c'], ['abc', 'a€c'], ['ac', 'a/c']],
  [['a.|)$(}+{bc'], ['a.|)$(}+{bc'], ['a']],
  [['./a/../b/'], ['b', 'b/c'], ['a']],
  [['*'], ['a', 'a/b', '.git'], []],
  [
    ['*', '!keep'],
    ['a', 'a/keep'],
    ['keep', 'keep/below'],
  ],
  [
    ['*.md', '!README*.md', 'README-secret.md'],
    ['a.md', 'README-secret.md'],
    ['README.md', 'README-x.md'],
  ],
  [
    ['docs', '!docs/keep', 'docs/keep/not'],
    ['docs', 'docs/a', 'docs/keep/not/x'],
    ['docs/keep', 'docs/keep/x'],
  ],
  [
    ['**', '!util/docker/web'],
    ['a', 'util/docker'],
    ['util/docker/web', 'util/docker/web/foo'],
  ],
  [['**', '!util/docker/web', 'util/docker/web/foo'], ['util/docker/web/foo'], ['util/docker/web/bar']],
  [['  docs  ', '', ' !docs/a '], ['docs/b'], ['docs/a']],
];

/** As a walk asks: folder by folder, not entering what may be left alone. */
function walked(matcher: PatternMatcher, path: string): boolean {
  let parent = matcher.start();
  let matched = false;
  const parts = path.split('/');
  for (let i = 1; i <= parts.length; i++) {
    const at = parts.slice(0, i).join('/');
    const state = matcher.start();
    matched = matcher.step(at, parent, state);
    if (i < parts.length && !matcher.mayDifferBelow(at, matched)) return matched;
    parent = state;
  }
  return matched;
}

test('patterns match as Docker does', () => {
  for (const [patterns, yes, no] of CASES) {
    const matcher = new PatternMatcher(patterns);
    for (const path of yes) {
      const name = `${patterns.join(' ')} on ${path}`;
      assert.equal(matcher.matches(path), true, name);
      if (!path.endsWith('/')) assert.equal(walked(matcher, path), true, name);
    }
    for (const path of no) {
      assert.equal(matcher.matches(path), false, `${patterns.join(' ')} on ${path}`);
      assert.equal(walked(matcher, path), false, `${patterns.join(' ')} on ${path}`);
    }
  }
});

test('what cannot be read is refused by name', () => {
  for (const pattern of ['!', 'a[', '[]', 'x\\'])
    assert.throws(() => new PatternMatcher([pattern]), { code: 'PATTERN_INVALID' }, pattern);
  assert.throws(() => new PatternMatcher(['a[b']), { message: 'read pattern "a[b": syntax error in pattern' });
});

test('a walk need not enter what no pattern can bring back', () => {
  const plain = new PatternMatcher(['node_modules', '.git', '**/*.log']);
  assert.equal(plain.hasExceptions, false);
  assert.equal(plain.mayDifferBelow('node_modules', true), false);
  assert.equal(plain.mayDifferBelow('src', false), true, 'logs may be below');

  const rooted = new PatternMatcher(['node_modules', 'dist/*', '!dist/keep/*.js', '!a/b']);
  assert.equal(rooted.mayDifferBelow('node_modules', true), false);
  assert.equal(rooted.mayDifferBelow('dist/other', true), false);
  assert.equal(rooted.mayDifferBelow('dist/keep', true), true);
  assert.equal(rooted.mayDifferBelow('dist/keep/deeper', true), false);
  assert.equal(rooted.mayDifferBelow('a', true), true);
  assert.equal(rooted.mayDifferBelow('ab', true), false);
  assert.equal(rooted.mayDifferBelow('src', false), false, 'nothing there can be ignored');
  assert.equal(new PatternMatcher(['node_modules', '!**/*.md']).mayDifferBelow('node_modules', true), true);
});

test('pruning never changes an answer', () => {
  const part = fc.constantFrom('a', 'b', 'ab', '*', '?', '**', 'a*', '[ab]', '[^a]', '*b', '\\a', '**b');
  const pattern = fc
    .tuple(fc.boolean(), fc.array(part, { minLength: 1, maxLength: 4 }))
    .map(([negated, parts]) => (negated ? '!' : '') + parts.join('/'));
  const path = fc
    .array(fc.constantFrom('a', 'b', 'ab', 'ba', 'c'), { minLength: 1, maxLength: 5 })
    .map((p) => p.join('/'));
  fc.assert(
    fc.property(fc.array(pattern, { minLength: 1, maxLength: 4 }), path, (patterns, path) => {
      const matcher = new PatternMatcher(patterns);
      let parent = matcher.start();
      let matched = false;
      const parts = path.split('/');
      for (let i = 1; i <= parts.length; i++) {
        const state = matcher.start();
        matched = matcher.step(parts.slice(0, i).join('/'), parent, state);
        parent = state;
      }
      assert.equal(walked(matcher, path), matched);
    }),
    { numRuns: 2000 },
  );
});
