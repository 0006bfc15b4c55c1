import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../blob/index.ts';
import { memoryTree, type MemoryFile } from './compose.ts';
import { contentDigest, selectionContent, type Selection } from './content-digest.ts';
import { findPaths, pick } from './select.ts';
import { unionOf } from './union.ts';

type Files = Readonly<Record<string, MemoryFile>>;
const FILES: Files = {
  'src/': '',
  'src/a.js': 'a',
  'src/b.js': 'b',
  'src/sub/': '',
  'src/sub/c.js': 'c',
  'src/link': { link: 'a.js' },
  folder: { link: 'src' },
  dangling: { link: 'nowhere' },
  'name[1]': 'odd',
};
const digest = async (selection: Selection, files: Files = FILES): Promise<Digest> =>
  contentDigest(await unionOf([memoryTree(files)]), selection);
const changed = (change: Files): Files => ({ ...FILES, ...change });

test('what counts is what is selected, not when it was changed', async () => {
  const whole: Selection = { paths: ['/src'] };
  const first = await digest(whole);
  assert.match(first, /^sha256:[0-9a-f]{64}$/);
  const same: Files[] = [
    { 'src/a.js': { content: 'a', mtime: 5, mtimeNs: 6 } },
    { 'src/': { mtime: 7 } },
    { other: 'x', 'name[1]': 'changed' },
  ];
  for (const change of same) assert.equal(await digest(whole, changed(change)), first, JSON.stringify(change));
  const different: Files[] = [
    { 'src/a.js': 'A' },
    { 'src/a.js': { content: 'a', mode: 0o755 } },
    { 'src/a.js': { content: 'a', uid: 1 } },
    { 'src/a.js': { content: 'a', gid: 1 } },
    { 'src/a.js': { content: 'a', xattrs: new Map([['user.x', Buffer.of(1)]]) } },
    { 'src/link': { link: 'b.js' } },
    { 'src/': { mode: 0o700 } },
    { 'src/new': '' },
    { 'src/dev': { type: 'character', device: { major: 1, minor: 3 } } },
    { 'src/b.js': { type: 'hardlink', link: 'src/a.js' } },
    { 'src/sub/c.js': { type: 'fifo' } },
  ];
  const seen = new Set([first]);
  for (const change of different) seen.add(await digest(whole, changed(change)));
  assert.equal(seen.size, different.length + 1);
});

test('what it is made of is told path by path: what changes the digest changes one of them', async () => {
  const whole: Selection = { paths: ['/src'] };
  const told = async (change: Files): Promise<Map<string, string>> => {
    const { paths } = await selectionContent(await unionOf([memoryTree(changed(change))]), whole);
    return new Map(
      [...paths()].map(({ path, digest: content = '', about }) => [path, `${about} ${content.slice(7, 11)}`]),
    );
  };
  const first = await told({});
  assert.deepEqual(
    [...first],
    [
      ['src', 'directory 0755 '],
      ['src/a.js', 'file 0644 ca97'],
      ['src/b.js', 'file 0644 3e23'],
      ['src/link', 'symlink -> a.js '],
      ['src/sub', 'directory 0755 '],
      ['src/sub/c.js', 'file 0644 2e7d'],
    ],
  );
  assert.deepEqual(await told({ 'src/a.js': { content: 'a', mtime: 5 }, other: 'x' }), first);
  for (const [change, path, expected] of [
    [{ 'src/a.js': 'A' }, 'src/a.js', 'file 0644 559a'],
    [{ 'src/a.js': { content: 'a', mode: 0o755 } }, 'src/a.js', 'file 0755 ca97'],
    [{ 'src/a.js': { content: 'a', uid: 1 } }, 'src/a.js', 'file 0644 1:0 ca97'],
    [
      { 'src/a.js': { content: 'a', xattrs: new Map([['user.x', Buffer.of(1)]]) } },
      'src/a.js',
      /^file 0644 xattrs \w{12} ca97$/,
    ],
    [{ 'src/link': { link: 'b.js' } }, 'src/link', 'symlink -> b.js '],
    [{ 'src/': { mode: 0o700 } }, 'src', 'directory 0700 '],
    [{ 'src/new': '' }, 'src/new', 'file 0644 e3b0'],
    [{ 'src/dev': { type: 'character', device: { major: 1, minor: 3 } } }, 'src/dev', 'character 0644 1:3 '],
    [{ 'src/b.js': { type: 'hardlink', link: 'src/a.js' } }, 'src/b.js', 'file 0644, the same as src/a.js ca97'],
  ] as const) {
    const now = await told(change);
    assert.deepEqual(
      [...now.keys()].filter((each) => now.get(each) !== first.get(each)),
      [path],
    );
    if (typeof expected === 'string') assert.equal(now.get(path), expected);
    else assert.match(now.get(path) ?? '', expected);
  }
});

test('the name of a plain path is no part of it, names below are', async () => {
  const moved = await digest({ paths: ['x'] }, { 'x/': '', 'x/a.js': 'a' });
  assert.equal(await digest({ paths: ['y/'] }, { 'y/': '', 'y/a.js': 'a' }), moved);
  assert.notEqual(await digest({ paths: ['y'] }, { 'y/': '', 'y/b.js': 'a' }), moved);
  const js = await digest({ paths: ['*.js'], wildcard: true }, { 'a.js': 'a' });
  assert.notEqual(await digest({ paths: ['*.js'], wildcard: true }, { 'b.js': 'a' }), js);
  assert.equal(await digest({ paths: ['*.js'], wildcard: true }, { 'a.js': 'a', 'b.ts': 'b' }), js);
  assert.equal(
    await digest({ paths: ['src/a.js'], wildcard: true }),
    await digest({ paths: ['/src/a.js'] }),
    'no pattern in it',
  );
});

test('patterns inside the selection decide what counts', async () => {
  const js: Selection = { paths: ['src'], include: ['*.js'] };
  const first = await digest(js);
  assert.equal(await digest(js, changed({ 'src/sub/c.js': 'C', 'src/sub/': { mode: 0o700 } })), first);
  assert.notEqual(await digest(js, changed({ 'src/b.js': 'B' })), first);
  const deep: Selection = { paths: ['src'], include: ['**/c.js'] };
  assert.notEqual(await digest(deep, changed({ 'src/sub/': { mode: 0o700 } })), await digest(deep));
  const but: Selection = { paths: ['src'], exclude: ['**/*.js', '!sub/c.js'] };
  assert.equal(await digest(but, changed({ 'src/a.js': 'A' })), await digest(but));
  assert.notEqual(await digest(but, changed({ 'src/sub/c.js': 'C' })), await digest(but));
});

test('links at the path are followed when asked', async () => {
  assert.equal(await digest({ paths: ['folder'], follow: true }), await digest({ paths: ['src'] }));
  assert.notEqual(await digest({ paths: ['folder'] }), await digest({ paths: ['src'] }));
  assert.equal(await digest({ paths: ['folder/a.js'] }), await digest({ paths: ['src/a.js'] }));
  const wild: Selection = { paths: ['fold*'], wildcard: true, follow: true };
  assert.notEqual(await digest(wild, changed({ 'src/a.js': 'A' })), await digest(wild));
});

test('what is missing is named, unless it is a wildcard', async () => {
  for (const selection of [
    { paths: ['src', 'gone'] },
    { paths: ['/gone'], exclude: ['x'] },
    { paths: ['dangling'], follow: true },
    { paths: ['dang*'], wildcard: true, follow: true },
  ] as Selection[])
    await assert.rejects(digest(selection), { code: 'PATH_NOT_FOUND', kind: 'not_found' }, JSON.stringify(selection));
  await assert.rejects(digest({ paths: ['/gone'] }), { message: '"/gone": not found' });
  const none = await digest({ paths: ['*.none'], wildcard: true });
  assert.equal(await digest({ paths: ['gone/*.x'], wildcard: true }), none);
  const required: Selection = { paths: ['/'], include: ['src/sub'], required: ['src/sub'] };
  assert.notEqual(await digest(required), none);
  await assert.rejects(digest({ ...required, required: ['src/gone'] }), { message: '"/src/gone": not found' });
});

test('wildcards are matched part by part', async () => {
  const view = await unionOf([memoryTree(FILES)]);
  const paths = (path: string): string[] => findPaths(view, path, { wildcard: true }).map((item) => item.path);
  assert.deepEqual(paths('*/*.js'), ['src/a.js', 'src/b.js'], 'links on the way are not walked through');
  assert.deepEqual(paths('folder/*.js'), ['folder/a.js', 'folder/b.js'], 'but before the pattern they are');
  assert.deepEqual(paths('src/*/c.?s'), ['src/sub/c.js']);
  assert.deepEqual(paths('name[[]1]'), ['name[1]']);
  assert.throws(
    () => paths('name\\[1\\]'),
    { code: 'PATH_NOT_FOUND' },
    'with no wildcard it is taken as written, as in Docker',
  );
  assert.deepEqual(paths('src[^x]a.js'), ['src/a.js'], 'a negated class matches "/", as in Go');
  assert.deepEqual(paths('src/./../src/*b.js'), ['src/b.js']);
  assert.deepEqual(paths('/'), ['']);
  assert.throws(() => paths('src/['), { code: 'PATTERN_INVALID' });
});

test('pick gives folders that lead to something once, before it', async () => {
  const view = await unionOf([memoryTree({ 'a/b/c': '', 'a/b/d': '', 'a/e/f': '', 'g/h': '' })]);
  const picked = [...pick(view, view.stat('')!, { include: ['a/b/*', 'g'] })];
  assert.deepEqual(
    picked.map((item) => `${item.matched ? '' : '('}${item.path}`),
    ['', '(a', '(a/b', 'a/b/c', 'a/b/d', 'g', 'g/h'],
  );
  const kept = [...pick(view, view.stat('')!, { exclude: ['a', '!a/e/f'] })];
  assert.deepEqual(
    kept.map((item) => `${item.matched ? '' : '('}${item.path}`),
    ['', '(a', '(a/e', 'a/e/f', 'g', 'g/h'],
  );
});
