import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError } from '../base/index.ts';
import { parseDotenv } from './dotenv.ts';
import { interpolate } from './interpolate.ts';

const SET: Readonly<Record<string, string>> = { SET: 'value', EMPTY: '', OTHER: 'other' };
const lookup = (name: string): string | undefined => SET[name];

/** Compose specification, "Interpolation". */
const FORMS: readonly (readonly [string, string])[] = [
  ['plain', 'plain'],
  ['$SET-${SET}', 'value-value'],
  ['${NONE}|$NONE|', '||'],
  ['${SET:-x}${EMPTY:-x}${NONE:-x}', 'valuexx'],
  ['${SET-x}|${EMPTY-x}|${NONE-x}', 'value||x'],
  ['${SET:+x}|${EMPTY:+x}|${NONE:+x}', 'x||'],
  ['${SET+x}|${EMPTY+x}|${NONE+x}', 'x|x|'],
  ['${SET:?no}${EMPTY?no}', 'value'],
  ['$$SET $${SET}', '$SET ${SET}'],
  ['${NONE:-${EMPTY:-${OTHER}}}', 'other'],
  ['${NONE:-a b-c:?d}', 'a b-c:?d'],
];

for (const [text, expected] of FORMS)
  test(`puts variables into ${text}`, () => assert.equal(interpolate(text, lookup), expected));

for (const [text, message] of [
  ['${SET', /"\$\{SET" is not closed/],
  ['${NONE:-x', /a "\$\{" is not closed/],
  ['${', /followed by no name/],
  ['$ x', /followed by no name/],
  ['${SET!}', /"\$\{SET" is not closed/],
  ['${NONE:?it is needed}', /required variable NONE is missing a value: it is needed/],
  ['${EMPTY:?}', /required variable EMPTY/],
  [`${'${N:-'.repeat(500)}x${'}'.repeat(500)}`, /nested too deep/],
] as const)
  test(`refuses ${text.slice(0, 30)}`, () =>
    assert.throws(
      () => interpolate(text, lookup),
      (error) => error instanceof CodedError && error.code === 'BAKE_COMPOSE' && message.test(error.message),
    ));

test('a file of variables: comments, quotes, escapes, several lines, what is set goes before', () => {
  const text = `# comment
A=1
export B = two words  # comment
C='$A \\n'
D="$A \${NONE:-x} \\n\\$A \\"q\\""
E="first
second"
F: colon
SET
NOWHERE
G=a#b
SET_TOO=\${SET}
A2=\${A}
`;
  assert.deepEqual(Object.fromEntries(parseDotenv(text, '.env', lookup)), {
    A: '1',
    B: 'two words',
    C: '$A \\n',
    D: '1 x \n$A "q"',
    E: 'first\nsecond',
    F: 'colon',
    SET: 'value',
    G: 'a#b',
    SET_TOO: 'value',
    A2: '1',
  });
  assert.throws(
    () => parseDotenv('A=1\nno name\n', '.env', lookup),
    (error) => error instanceof CodedError && error.place?.line === 2,
  );
});
