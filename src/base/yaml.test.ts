import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError } from './error.ts';
import { parseYaml } from './yaml.ts';

test('a document becomes plain data, with anchors and merge keys resolved', async () => {
  const text = 'x: &x\n  a: 1\n  b: [yes, true, ~, 1.50]\ny:\n  <<: *x\n  a: "2"\n  c: |\n    line\n';
  assert.deepEqual(await parseYaml(text, 'f'), {
    x: { a: 1, b: ['yes', true, null, 1.5] },
    y: { a: '2', b: ['yes', true, null, 1.5], c: 'line\n' },
  });
});

test('what does not parse is told with its place', async () => {
  for (const [text, line] of [
    ['a: 1\nb: [1, 2\n', 3],
    ['a: 1\na: 2\n', 2],
    ['a: *nothing\n', 1],
    ['a: 1\n---\nb: 2\n', 2],
  ] as const)
    await assert.rejects(parseYaml(text, 'f.yaml'), (error) => {
      assert.ok(error instanceof CodedError);
      assert.equal(error.code, 'INVALID_YAML');
      if (error.place) assert.equal(error.place.line, line, text);
      return true;
    });
});

test('aliases that multiply without end are refused', async () => {
  const levels = Array.from(
    { length: 12 },
    (_, at) => `a${at + 1}: &a${at + 1} [${Array.from({ length: 10 }, () => `*a${at}`).join(', ')}]`,
  );
  await assert.rejects(parseYaml(`a0: &a0 x\n${levels.join('\n')}\n`, 'f'), { code: 'INVALID_YAML' });
});
