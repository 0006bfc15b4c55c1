import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasCode } from '../base/index.ts';
import { checkGoPattern, cleanPath, goMatch, hasWildcards } from './go-match.ts';
import { decodePath } from './path-text.ts';

test('goMatch answers as Go does', () => {
  const path = join(import.meta.dirname, 'testdata/go-match/cases.json');
  const cases = JSON.parse(readFileSync(path, 'utf8')) as [string, string, string][];
  const wrong = cases.filter(([pattern, name, answer]) => {
    try {
      return (goMatch(pattern, name) ? 'yes' : 'no') !== answer;
    } catch (error) {
      assert.ok(hasCode(error, 'PATTERN_INVALID'));
      return answer !== 'bad';
    }
  });
  assert.equal(cases.length, 800);
  assert.deepEqual(wrong, []);
});

test('goMatch works on bytes', () => {
  const byte = decodePath(Uint8Array.of(0xff));
  assert.equal(goMatch('a?b', `a${byte}b`), true);
  assert.equal(goMatch(`a${byte}b`, `a${byte}b`), true);
  assert.equal(goMatch('a??b', `a${byte}b`), false);
  assert.equal(goMatch('[^a]', byte), true);
  assert.throws(() => goMatch(`[${byte}]`, 'x'), { code: 'PATTERN_INVALID' });
  assert.equal(goMatch('*??', '€'), true, 'a star may stop within a character, as in Go');
});

test('checkGoPattern finds what goMatch would refuse', () => {
  for (const bad of ['[', 'a[', '[]a]', '[-]', '[x-]', 'x*[', '[a-b-c]', '\\'])
    assert.throws(() => checkGoPattern(bad), { code: 'PATTERN_INVALID', kind: 'invalid' }, bad);
  for (const good of ['', '*', '[\\]]', '[^\\-]', 'a\\*', 'é?', ']']) checkGoPattern(good);
});

test('hasWildcards sees unescaped ones only', () => {
  assert.deepEqual(['a*', 'a?', 'a[b]', 'a\\*', 'a\\\\*', 'a]', ''].map(hasWildcards), [
    true,
    true,
    true,
    false,
    true,
    false,
    false,
  ]);
});

test('cleanPath is path.Clean', () => {
  const cases = {
    '': '.',
    a: 'a',
    'a/': 'a',
    './a//b/../c': 'a/c',
    '/../a': '/a',
    '../a/../..': '../..',
    '/': '/',
    '//': '/',
    'a/..': '.',
  };
  for (const [path, clean] of Object.entries(cases)) assert.equal(cleanPath(path), clean, path);
});
