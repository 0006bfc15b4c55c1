import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError, type ErrorKind } from '../../base/index.ts';
import { EXIT_CODES, EXIT_MEANINGS } from './exit-code.ts';
import { describeFailure, exitCodeOf } from './failure.ts';

const place = { file: 'Dockerfile', line: 3, column: 1, text: 'RUN false' };
const failed = new CodedError({
  code: 'X',
  kind: 'failed',
  message: 'run "false": exit code 1',
  remedy: 'Mend it.',
  place,
});

test('one message with place, quoted source and remedy', () => {
  assert.equal(
    describeFailure(failed, { color: false }),
    'error: Dockerfile:3:1: run "false": exit code 1\n  3 | >>> RUN false\nhelp: Mend it.\n',
  );
});

test('what stands around the place is shown where the file is at hand', () => {
  const source = (): string => 'FROM a\nENV x=1\nRUN false\nRUN true\n';
  assert.equal(
    describeFailure(failed, { color: false, source }),
    [
      'error: Dockerfile:3:1: run "false": exit code 1',
      '  1 |     FROM a',
      '  2 |     ENV x=1',
      '  3 | >>> RUN false',
      '  4 |     RUN true',
      'help: Mend it.\n',
    ].join('\n'),
  );
  const other = describeFailure(failed, { color: false, source: () => 'something else\n' });
  assert.match(other, /^.*\n {2}3 \| >>> RUN false\nhelp/);
});

test('colors only where they are wanted', () => {
  assert.match(describeFailure(failed, { color: true }), /^\x1b\[31merror\x1b\[39m: /);
});

test('a system error is no defect, anything else is, with its stack', () => {
  const system = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
  assert.equal(describeFailure(system, { color: false }), 'error: EACCES: permission denied\n');
  assert.equal(exitCodeOf(system), 77);
  const defect = describeFailure(new TypeError('x is undefined'), { color: false });
  assert.match(defect, /^error: x is undefined\n\s+at /);
  assert.match(defect, /This is a defect of strake/);
  assert.equal(exitCodeOf(new TypeError('x')), 70);
});

test('every kind has a code of its own and a meaning', () => {
  const codes = Object.values(EXIT_CODES);
  assert.equal(new Set(codes).size, codes.length);
  for (const kind of Object.keys(EXIT_CODES) as ErrorKind[])
    assert.ok(
      EXIT_MEANINGS.some(([code]) => code === EXIT_CODES[kind]),
      kind,
    );
});

test('an error of the system is told in words, with what helps', () => {
  const errno = { errno: -13, code: 'EACCES', syscall: 'open', path: '/x' };
  const denied = Object.assign(new Error("EACCES: permission denied, open '/x'"), errno);
  assert.equal(
    describeFailure(denied, { color: false }),
    'error: open "/x": permission denied\nhelp: Give this user the right to it, or name another place.\n',
  );
  assert.equal(exitCodeOf(denied), EXIT_CODES.denied);
});
