import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modeChange, parentMode } from './mode-change.ts';

/** mode text, mode before, after; a fourth member: it is a folder. */
const CASES: readonly (readonly [string | number, number, number, boolean?])[] = [
  [0o755, 0o600, 0o755],
  ['755', 0o600, 0o755],
  ['4711', 0o600, 0o4711],
  ['0', 0o777, 0],
  ['u=rw,go-w,a+X', 0o777, (0o757 & ~0o022) | 0o100 | 0o011],
  ['u=rw,go-w,a+X', 0o666, 0o644],
  ['u=rw,go-w,a+X', 0o666, 0o755, true],
  ['a+x', 0o644, 0o755],
  ['+x', 0o600, 0o711],
  ['-x', 0o755, 0o644],
  ['=r', 0o4755, 0o444],
  ['a=', 0o6777, 0],
  ['go=', 0o6777, 0o4700],
  ['u+s', 0o755, 0o4755],
  ['g+s', 0o755, 0o2755],
  ['o+s', 0o755, 0o755],
  ['+s', 0o755, 0o6755],
  ['u=', 0o4755, 0o055],
  ['+t', 0o755, 0o1755],
  ['o+t', 0o755, 0o755],
  ['u+t', 0o755, 0o1755],
  ['-t', 0o1777, 0o777],
  ['a=rwx', 0o1000, 0o1777],
  ['g=u', 0o740, 0o770],
  ['o=g', 0o751, 0o755],
  ['go=u-w', 0o755, 0o755],
  ['u=rwx,go=u-w', 0o000, 0o755],
  ['g-u', 0o770, 0o700],
  ['o+u', 0o701, 0o707],
  ['u-x+w', 0o500, 0o600],
  ['+X', 0o644, 0o644],
  ['+X', 0o744, 0o755],
  ['+X', 0o600, 0o711, true],
  ['-X', 0o755, 0o644],
  ['a=X', 0o744, 0o111],
  ['a=rX', 0o600, 0o444],
  ['u=X', 0o400, 0o000],
  ['g=rX', 0o700, 0o750],
  ['ug+rw,o-rwx', 0o007, 0o660],
];

test("octal and symbolic modes are BSD's", () => {
  for (const [mode, before, after, folder] of CASES)
    assert.equal(
      modeChange(mode)(before, folder === true).toString(8),
      after.toString(8),
      `${mode} on ${before.toString(8)}`,
    );
});

test('what is no mode is refused', () => {
  for (const mode of ['', 'u', 'x', 'u+q', 'u=rw,', ',u+x', '8', '99', '10000', 'u+x g+x', 0o10000])
    assert.throws(() => modeChange(mode), { code: 'MODE_INVALID', kind: 'invalid' }, `"${mode}"`);
});

test('made parents have the octal bits of a permission', () => {
  assert.deepEqual([undefined, 0o2750, '4711', 'u+x'].map(parentMode), [0o755, 0o750, 0o711, 0o755]);
});
