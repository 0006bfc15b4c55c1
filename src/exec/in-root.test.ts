import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { array, assert as check, constantFrom, property } from 'fast-check';
import { hasCode } from '../base/index.ts';
import { makeFolders, resolveInRoot } from './in-root.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-in-root-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const root = join(folder, 'root');
mkdirSync(join(root, 'a/b'), { recursive: true });
writeFileSync(join(root, 'a/file'), '');
symlinkSync('/a/b', join(root, 'absolute'));
symlinkSync('../../../../a', join(root, 'a/b/up'));
symlinkSync('nowhere/deep', join(root, 'a/dangling'));
symlinkSync('self', join(root, 'self'));

test('links and ".." stay in the root', () => {
  const cases: [string, string[], string[]][] = [
    ['/', [], []],
    ['/a/./b/', ['a', 'b'], []],
    ['/../../a', ['a'], []],
    ['/absolute/new', ['a', 'b'], ['new']],
    ['/a/b/up/b', ['a', 'b'], []],
    ['/a/dangling/x', ['a'], ['nowhere', 'deep', 'x']],
    ['/a/new/../other', ['a'], ['other']],
    ['/a/file', ['a', 'file'], []],
  ];
  for (const [path, exists, missing] of cases) assert.deepEqual(resolveInRoot(root, path), { exists, missing }, path);
});

test('a loop, and a way through a file, are errors', () => {
  for (const path of ['/self/x', '/a/file/x', `/${'n'.repeat(300)}`])
    assert.throws(
      () => resolveInRoot(root, path),
      (error) => hasCode(error, 'STEP_INVALID'),
      path,
    );
});

test('no path leads out', () => {
  const part = constantFrom('a', 'b', '..', '.', '', 'absolute', 'up', 'dangling', 'x');
  check(
    property(array(part, { maxLength: 12 }), (names) => {
      const place = resolveInRoot(root, `/${names.join('/')}`);
      assert.ok(![...place.exists, ...place.missing].some((name) => name === '..' || name === '.' || name === ''));
    }),
  );
});

test('missing folders are made', () => {
  const made = makeFolders(root, resolveInRoot(root, '/absolute/p/q'));
  assert.equal(made, join(root, 'a/b/p/q'));
  assert.equal(statSync(made).mode & 0o777, 0o755);
});
