import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEPT_LINES, StepLog } from './step-log.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

test('lines come out whole, whatever the chunks', () => {
  const log = new StepLog();
  const euro = Buffer.from('€\n');
  assert.deepEqual(log.push('stdout', bytes('one\ntw'), 1), [{ at: 1, text: 'one' }]);
  assert.deepEqual(log.push('stderr', bytes('other\n'), 2), [{ at: 2, text: 'other' }]);
  assert.deepEqual(log.push('stdout', bytes('o\n'), 3), [{ at: 3, text: 'two' }]);
  assert.deepEqual(log.push('stdout', euro.subarray(0, 2), 4), []);
  assert.deepEqual(log.push('stdout', euro.subarray(2), 5), [{ at: 5, text: '€' }]);
  log.push('stdout', bytes('open'), 6);
  assert.deepEqual(log.tail(2), ['€', 'open']);
  assert.deepEqual(log.end(7), [{ at: 7, text: 'open' }]);
  assert.equal(log.count, 5);
});

test('memory is bounded: old lines go, a line without an end is cut', () => {
  const log = new StepLog();
  log.push('stdout', bytes('x\n'.repeat(1000)), 1);
  assert.equal(log.lines.length, KEPT_LINES);
  assert.equal(log.count, 1000);
  const endless = new StepLog();
  const lines = endless.push('stdout', bytes('y'.repeat(40_000)), 1);
  assert.deepEqual(
    lines.map(({ text }) => text.length),
    [16_384, 16_384],
  );
});
