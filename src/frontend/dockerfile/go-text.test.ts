import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csvFields } from './csv.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { isSpace, parseBool, quote, quoteList, trimSpace } from './go-text.ts';
import { didYouMean, levenshtein, nearest } from './suggest.ts';

test('text is quoted as %q does', () => {
  assert.equal(quote('a "b"\\'), '"a \\"b\\"\\\\"');
  assert.equal(quote('\u0007\b\f\n\r\t\v\u0000\u001b\u007f'), '"\\a\\b\\f\\n\\r\\t\\v\\x00\\x1b\\x7f"');
  assert.equal(quote('é안😀'), '"é안😀"');
  assert.equal(quote('\u00a0\u200b\u{e0001}'), '"\\u00a0\\u200b\\U000e0001"');
  assert.equal(quote('\ud800'), '"\\ufffd"');
  assert.equal(quoteList(['a b', '']), '["a b" ""]');
});

test('white space is what Go takes for it', () => {
  for (const char of ' \t\n\v\f\r\u0085\u00a0\u2028\u3000') assert.ok(isSpace(char), JSON.stringify(char));
  for (const char of 'a\ufeff\u200b_') assert.ok(!isSpace(char), JSON.stringify(char));
  assert.equal(trimSpace('\u00a0 a b\r\n'), 'a b');
  assert.equal(trimSpace(' \t'), '');
});

test('durations are read and printed as Go does', () => {
  const cases: readonly (readonly [string, bigint, string])[] = [
    ['0', 0n, '0s'],
    ['5s', 5_000_000_000n, '5s'],
    ['1m30s', 90_000_000_000n, '1m30s'],
    ['1.5h', 5_400_000_000_000n, '1h30m0s'],
    ['500ms', 500_000_000n, '500ms'],
    ['1.5ms', 1_500_000n, '1.5ms'],
    ['10µs', 10_000n, '10µs'],
    ['7ns', 7n, '7ns'],
    ['-2s', -2_000_000_000n, '-2s'],
    ['.5s', 500_000_000n, '500ms'],
    ['1h0.25s', 3_600_250_000_000n, '1h0m0.25s'],
  ];
  for (const [text, value, printed] of cases) {
    assert.equal(parseDuration(text), value, text);
    assert.equal(formatDuration(Number(value)), printed, text);
  }
  assert.deepEqual(parseDuration('5'), { wrong: 'time: missing unit in duration "5"' });
  assert.deepEqual(parseDuration('5x'), { wrong: 'time: unknown unit "x" in duration "5x"' });
  for (const text of ['', '.', 's', '-', '1.2.3s', '9999999h'])
    assert.ok(typeof parseDuration(text) !== 'bigint', text);
});

test('booleans are those of strconv', () => {
  assert.equal(parseBool('T'), true);
  assert.equal(parseBool('0'), false);
  assert.equal(parseBool('yes'), undefined);
  assert.equal(parseBool('constructor'), undefined);
});

test('CSV fields may be quoted', () => {
  assert.deepEqual(csvFields('a=1,"b=x,y",,c="'), undefined);
  assert.deepEqual(csvFields('a=1,"b=""x"",y",,'), ['a=1', 'b="x",y', '', '']);
  assert.deepEqual(csvFields('"a'), undefined);
  assert.deepEqual(csvFields(''), undefined);
});

test('a near word is suggested, a far one is not', () => {
  assert.equal(levenshtein('kitten', 'sitting'), 3);
  assert.equal(nearest('RUNN', ['RUN', 'COPY'], true), 'RUN');
  assert.equal(nearest('copu', ['RUN', 'COPY'], true), 'copy');
  assert.equal(nearest('build', ['build', 'built']), undefined);
  assert.equal(didYouMean('bulid', ['final', 'build']), ' (did you mean build?)');
  assert.equal(didYouMean('xyzzy', ['final', 'build']), '');
});
