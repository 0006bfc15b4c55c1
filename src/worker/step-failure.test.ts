import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError } from '../base/index.ts';
import { stepFailure } from './step-failure.ts';

function failure(code: number, before: number | undefined, after: number | undefined): CodedError {
  const error = stepFailure(['make', 'all'], { code, killedBefore: before, killedAfter: after });
  assert.ok(error instanceof CodedError);
  return error;
}

test('an exit code, a signal, and memory that ran out', () => {
  const start = 'process "make all" did not complete successfully: exit code: ';
  assert.equal(failure(2, 3, 3).message, `${start}2`);
  assert.equal(failure(139, 3, 3).message, `${start}139 (SIGSEGV)`);
  // A program's own code as often as a signal.
  assert.equal(failure(129, 3, 3).message, `${start}129`);
  assert.equal(failure(137, 3, 3).message, `${start}137 (SIGKILL)`);
  assert.match(failure(137, 3, 3).remedy ?? '', /was not out of memory/);
  assert.equal(failure(137, 3, 4).message, `${start}137 (SIGKILL, out of memory)`);
  // What was killed was started by it.
  assert.equal(failure(2, 3, 4).message, `${start}2 (out of memory)`);
  assert.match(failure(2, 3, 4).remedy ?? '', /memory ran out/);
  // Nobody counts.
  assert.match(failure(137, undefined, undefined).remedy ?? '', /unless it did so itself/);
});
