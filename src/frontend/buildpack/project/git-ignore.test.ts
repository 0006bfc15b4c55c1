import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, suite, test } from 'node:test';
import * as fc from 'fast-check';
import { GitIgnore } from './git-ignore.ts';

const scratch = mkdtempSync(join(tmpdir(), 'strake-ignore-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** Nothing of whoever runs the tests. */
const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: scratch, LC_ALL: 'C' };

/** What `git check-ignore` says of these paths of a tree, list by list. */
function gitSays(lists: readonly (readonly string[])[], paths: readonly string[]): Set<string>[] {
  const root = join(scratch, 'tree');
  rmSync(root, { recursive: true, force: true });
  execFileSync('git', ['init', '-q', root], { env });
  for (const path of paths) {
    const full = join(root, path);
    mkdirSync(path.endsWith('/') ? full : dirname(full), { recursive: true });
    if (!path.endsWith('/')) writeFileSync(full, '');
  }
  const input = paths.map((path) => `${path.replace(/\/$/, '')}\0`).join('');
  const patterns = join(root, '.git/info/exclude');
  const settings = ['-c', 'core.ignorecase=false', '-c', 'core.excludesFile=/dev/null'];
  return lists.map((lines) => {
    writeFileSync(patterns, `${lines.join('\n')}\n`);
    const command = ['-C', root, ...settings, 'check-ignore', '-z', '--stdin', '--no-index'];
    const { status, stdout, stderr } = spawnSync('git', command, { input, env });
    assert.ok(status === 0 || status === 1, stderr.toString());
    return new Set(stdout.toString().split('\0').filter(Boolean));
  });
}

/** What strake says of the same. */
function weSay(lines: readonly string[], paths: readonly string[]): Set<string> {
  const ignore = new GitIgnore(lines);
  const asked = paths.map((path) => ({ path: path.replace(/\/$/, ''), folder: path.endsWith('/') }));
  return new Set(asked.filter(({ path, folder }) => ignore.ignores(path, { folder })).map(({ path }) => path));
}

function compare(lists: readonly (readonly string[])[], paths: readonly string[]): void {
  const said = gitSays(lists, paths);
  lists.forEach((lines, at) => {
    assert.deepEqual([...weSay(lines, paths)].sort(), [...(said[at] ?? [])].sort(), JSON.stringify(lines));
  });
}

/** Files and the folders they are in. */
function treeOf(files: readonly string[]): string[] {
  const all = new Set<string>();
  for (const file of files) {
    for (let at = file.indexOf('/'); at >= 0; at = file.indexOf('/', at + 1)) all.add(file.slice(0, at + 1));
    all.add(file);
  }
  // What is a folder cannot be a file.
  return [...all].filter((path) => path.endsWith('/') || !all.has(`${path}/`));
}

suite('what git ignores', () => {
  test('a table of its rules', () => {
    const paths = treeOf([
      'a',
      'b/a',
      'b/c/a',
      'foo/bar',
      'foo/x/bar',
      'x.log',
      'd/x.log',
      'd/keep.log',
      '#h',
      '!q',
      'with space ',
      'tab\t',
      'é',
      'd/é/f',
      'back\\slash',
      'x[y',
      'UP',
      'lo',
      '1',
      'a]',
      'a-b',
      'z*',
      'node_modules/p/index.js',
      '.env',
      'b/.env',
    ]);
    compare(
      [
        ['a'],
        ['/a'],
        ['b/a'],
        ['b/'],
        ['a/'],
        ['*'],
        ['*', '!*/', '!*.log'],
        ['*.log', '!keep.log'],
        ['d/', '!d/keep.log'],
        ['d/*', '!d/keep.log'],
        ['foo/*'],
        ['foo/**'],
        ['**/bar'],
        ['foo/**/bar'],
        ['**/a', '!/b/**/a'],
        ['b/**/'],
        ['**'],
        ['/**/*.log'],
        ['# comment', '\\#h', '\\!q'],
        ['#h', '!q'],
        ['with space\\ ', 'tab\t'],
        ['with space ', 'tab'],
        ['?', '??'],
        ['[[:upper:]][[:upper:]]', '[[:digit:]]'],
        ['[!a-z]*'],
        ['[^[:alpha:]]'],
        ['[]]', 'a[]]', 'x[[]y', 'a[]-]b', 'a[--0]b'],
        ['x[y', '[', '[a', '[[:nothing:]]', '[[:alpha:', '[a-'],
        ['back\\\\slash', 'back\\', 'z\\*'],
        ['node_modules', '!node_modules/p'],
        ['.env', '!b/.env'],
        ['/', '!', '  ', '//', '/*/'],
        ['b/c\r', 'b/a\r'],
        ['a**/*', 'fo**/bar', 'n**/p/index.js'],
        ['d/?/f', 'd/??/f', '[é]'],
      ],
      paths,
    );
  });

  test('random patterns on random trees', () => {
    const name = fc.constantFrom(
      'a',
      'b',
      'ab',
      'a.c',
      'a-b',
      'foo',
      '.x',
      'A',
      'a b',
      'x[y',
      'a*',
      'é',
      '!q',
      '#h',
      'a\\b',
      '-',
      'aab',
      '1',
    );
    const file = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    const atom = fc.constantFrom(
      'a',
      'b',
      '*',
      '**',
      '***',
      '?',
      '.',
      'foo',
      '*.c',
      'a*',
      'a**',
      '**b',
      '*a*b',
      '\\a',
      '\\*',
      '\\',
      '\\[',
      'é',
      ' ',
      '\\ ',
      '[ab]',
      '[^a]',
      '[!a]',
      '[a-c]',
      '[',
      '[a',
      '[]a]',
      '[]',
      '[a-]',
      '[z-a]',
      '[\\a]',
      '[a\\]',
      '[a/b]',
      '[--a]',
      '[a-c-e]',
      '[[a]',
      '[[:alpha:]]',
      '[[:digit:]b]',
      '[^[:upper:]]',
      '[[:foo:]]',
      '[[:alpha:]-z]',
      '[[:]',
      '[[::]]',
      '[a[:punct:]',
    );
    const pattern = fc
      .tuple(
        fc.constantFrom('', '', '', '', '!', '\\!', '#', '\\#'),
        fc.constantFrom('', '', '/', '**/'),
        fc.array(fc.tuple(atom, fc.constantFrom('/', '/', '', '/**/', '//')), { minLength: 1, maxLength: 4 }),
        atom,
        fc.constantFrom('', '', '', '/', '/**', '/*', ' ', '\\ ', '\r'),
      )
      .map(
        ([sign, start, middle, last, end]) =>
          sign +
          start +
          middle
            .slice(1)
            .map(([a, slash]) => a + slash)
            .join('') +
          last +
          end,
      );
    fc.assert(
      fc.property(
        fc.array(file, { minLength: 1, maxLength: 14 }),
        fc.array(fc.array(pattern, { minLength: 1, maxLength: 5 }), { minLength: 25, maxLength: 25 }),
        (files, lists) => compare(lists, treeOf(files)),
      ),
      { numRuns: 3 },
    );
  });

  test('is decided in time that grows with the pattern and the path only', () => {
    const hard = new GitIgnore([`${'a*'.repeat(40)}b`, `${'**/'.repeat(30)}b`]);
    assert.equal(hard.ignores('a'.repeat(200), { folder: false }), false);
    assert.equal(hard.ignores(`${'a/'.repeat(60)}c`, { folder: false }), false);
  });
});
