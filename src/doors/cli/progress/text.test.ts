import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { clip, fit, textWidth, visibleText } from './text.ts';

test('width counts terminal cells', () => {
  for (const [text, width] of [
    ['', 0],
    ['abc', 3],
    ['日本', 4],
    ['한', 2],
    ['🎉', 2],
    ['👨‍👩‍👧', 2],
    ['❤️', 2],
    ['e\u0301', 1],
    ['é', 1],
    ['ｆｕｌｌ', 8],
    ['…', 1],
  ] as const)
    assert.equal(textWidth(text), width, text);
});

test('clipping leaves whole characters and says that there was more', () => {
  assert.equal(clip('hello', 5), 'hello');
  assert.equal(clip('hello!', 5), 'hell…');
  assert.equal(clip('日本語', 6), '日本語');
  assert.equal(clip('日本語', 5), '日本…');
  assert.equal(clip('日本語', 4), '日…');
  assert.equal(clip('日本語', 1), '…');
  assert.equal(clip('x', 0), '');
  assert.equal(fit('日本', 5), '日本 ');
});

test('what a terminal would show of a line', () => {
  assert.equal(visibleText('\x1b[31mred\x1b[0m'), 'red');
  assert.equal(visibleText('10%\r20%\r100%'), '100%');
  assert.equal(visibleText('windows\r'), 'windows');
  assert.equal(visibleText('a\tb'), 'a       b');
  assert.equal(visibleText('日\tb'), '日      b');
  assert.equal(visibleText('\x1b]8;;http://x.example\x07link\x1b]8;;\x07'), 'link');
  assert.equal(visibleText('a\x07\x00\u202eb'), 'ab');
});

test('any text fits once it is clipped', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 40 }), (text, columns) => {
      const shown = clip(visibleText(text), columns);
      assert.ok(textWidth(shown) <= columns);
      assert.equal(/[\p{Cc}]/u.test(shown), false);
    }),
  );
});
