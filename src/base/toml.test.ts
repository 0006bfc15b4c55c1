import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CodedError } from './error.ts';
import { encodeToml, parseToml, TomlText } from './toml.ts';

test('TOML is read, and what does not parse is shown with its place', () => {
  assert.equal(JSON.stringify(parseToml('[bases.a]\nsuite = "x"\n', 'f')), '{"bases":{"a":{"suite":"x"}}}');
  assert.throws(
    () => parseToml('a = 1\nb = = 2\n', 'strake.toml'),
    (error) =>
      error instanceof CodedError &&
      error.code === 'INVALID_TOML' &&
      error.place?.line === 2 &&
      error.place.text === 'b = = 2' &&
      error.message.startsWith('read "strake.toml": '),
  );
});

test('TOML is written in the form of BurntSushi/toml', () => {
  assert.equal(
    encodeToml({
      nothing: undefined,
      name: 'a "b"\n\u007f\u0001',
      tables: [
        { id: 'x', sub: { deep: { n: 1 } } },
        { id: 'y', more: [{ z: true }] },
      ],
      list: ['a', 1, false],
      raw: new TomlText('["\\u0026"]'),
      empty: [],
      'key with blank': 1.5,
      last: {},
    }),
    'name = "a \\"b\\"\\n\\u007f\\u0001"\nlist = ["a", 1, false]\nraw = ["\\u0026"]\nempty = []\n"key with blank" = 1.5\n' +
      '\n[[tables]]\n  id = "x"\n  [tables.sub]\n    [tables.sub.deep]\n      n = 1\n\n[[tables]]\n  id = "y"\n\n  [[tables.more]]\n    z = true\n\n[last]\n',
  );
  assert.throws(() => encodeToml({ a: () => 1 }), TypeError);
});

test('what is written reads back as it was', () => {
  const scalar = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.boolean(), fc.maxSafeInteger());
  const { value } = fc.letrec((tie) => ({
    value: fc.dictionary(
      fc.string({ minLength: 1 }).filter((key) => key !== '__proto__'),
      fc.oneof(
        { maxDepth: 2 },
        scalar,
        fc.array(scalar, { maxLength: 3 }),
        tie('value'),
        fc.array(tie('value'), { maxLength: 2 }),
      ),
      { maxKeys: 4 },
    ),
  }));
  fc.assert(
    fc.property(value, (table) => {
      const plain = JSON.parse(JSON.stringify(table)) as Record<string, unknown>;
      assert.deepEqual(JSON.parse(JSON.stringify(parseToml(encodeToml(plain), 'f'))), plain);
    }),
    { numRuns: 60 },
  );
});
