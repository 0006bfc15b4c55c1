import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { goJson, unlessEmpty, type GoValue } from './go-json.ts';

test('text is escaped as Go escapes it', () => {
  assert.equal(
    goJson('a && b > c <d> \u2028 \u00e4 \n\t\u0001"'),
    '"a \\u0026\\u0026 b \\u003e c \\u003cd\\u003e \\u2028 ä \\n\\t\\u0001\\""',
  );
});

test('map keys are sorted by their bytes, struct members keep their order', () => {
  assert.equal(
    goJson({ b: 1, a: 2, '10': 3, '9': 4, '\u{1F600}': 5, '\uffee': 6 }),
    '{"10":3,"9":4,"a":2,"b":1,"\uffee":6,"\u{1F600}":5}',
  );
  assert.equal(
    goJson(
      new Map<string, GoValue | undefined>([
        ['z', 1],
        ['none', undefined],
        ['a', 2],
      ]),
    ),
    '{"z":1,"a":2}',
  );
});

test('indented text has the form of MarshalIndent', () => {
  assert.equal(
    goJson({ a: [], b: {}, c: [1, { d: true }] }, 2),
    '{\n  "a": [],\n  "b": {},\n  "c": [\n    1,\n    {\n      "d": true\n    }\n  ]\n}',
  );
});

test('what omitempty leaves out is undefined', () => {
  for (const empty of ['', 0, false, null, [], {}, new Map()]) assert.equal(unlessEmpty(empty as GoValue), undefined);
  for (const full of ['a', 1, true, [0], { a: null }]) assert.equal(unlessEmpty(full as GoValue), full);
});

test('any JSON value reads back as itself, with and without indent', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom(0, 2), (value, indent) => {
      assert.deepEqual(JSON.parse(goJson(value as GoValue, indent)), JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 40 },
  );
});
