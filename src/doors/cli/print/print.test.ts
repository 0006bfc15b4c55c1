import assert from 'node:assert/strict';
import { test } from 'node:test';
import { repositoryOf, tagOf } from './image-json.ts';
import { styleFor, wantsColor } from './style.ts';
import { tableText } from './table.ts';
import { ageText, secondsText, shortSize, sizeText } from './units.ts';

test('sizes', () => {
  assert.equal(sizeText(0), '0B');
  assert.equal(sizeText(999), '999B');
  assert.equal(sizeText(1000), '1.00kB');
  assert.equal(sizeText(3_400_000), '3.40MB');
  assert.equal(sizeText(999_999), '1.00MB');
  assert.equal(shortSize(770_123), '770kB');
  assert.equal(shortSize(7_834_567), '7.83MB');
  assert.equal(shortSize(125_400_000), '125MB');
  assert.equal(shortSize(999_600), '1MB');
});

test('ages', () => {
  const now = 1_000_000_000_000;
  for (const [seconds, text] of [
    [0, 'just now'],
    [1, '1 second ago'],
    [59, '59 seconds ago'],
    [60, '1 minute ago'],
    [7199, '119 minutes ago'],
    [7200, '2 hours ago'],
    [86_400, '24 hours ago'],
    [172_800, '2 days ago'],
    [3_888_000, '6 weeks ago'],
    [-120, 'in the future'],
  ] as const)
    assert.equal(ageText(now - seconds * 1000, now), text);
  assert.equal(ageText(undefined, now), '-');
  assert.equal(secondsText(1249), '1.2s');
});

test('tables align by cells and shrink one column', () => {
  const columns = [
    { title: 'NAME', shrink: true },
    { title: 'SIZE', right: true },
  ];
  const o = { style: styleFor(false) };
  assert.equal(
    tableText(
      columns,
      [
        ['日本', '1B'],
        ['abc', '12MB'],
      ],
      o,
    ),
    'NAME   SIZE\n日本     1B\nabc    12MB\n',
  );
  assert.equal(
    tableText(columns, [['a-very-long-name-indeed', '1B']], { ...o, columns: 20 }),
    'NAME            SIZE\na-very-long-…     1B\n',
  );
});

test('names fall into repository and tag', () => {
  assert.equal(repositoryOf('host:5000/a/b:1.0'), 'host:5000/a/b');
  assert.equal(tagOf('host:5000/a/b:1.0'), '1.0');
  assert.equal(repositoryOf('host:5000/a/b'), 'host:5000/a/b');
  assert.equal(tagOf('host:5000/a/b'), '<none>');
});

test('colors by convention', () => {
  assert.equal(wantsColor({}, true), true);
  assert.equal(wantsColor({}, false), false);
  assert.equal(wantsColor({ NO_COLOR: '1' }, true), false);
  assert.equal(wantsColor({ NO_COLOR: '' }, true), true);
  assert.equal(wantsColor({ TERM: 'dumb' }, true), false);
  assert.equal(wantsColor({ FORCE_COLOR: '1' }, false), true);
  assert.equal(styleFor(false).red('x'), 'x');
});
