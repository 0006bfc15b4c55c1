import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { canonicalJson, type Json } from './canonical-json.ts';

test('one value has one text: keys sorted, nothing between, undefined left out', () => {
  assert.equal(
    canonicalJson({ b: [1, { z: null, a: 'ä' }], a: undefined, '10': true, '9': -0 }),
    '{"10":true,"9":0,"b":[1,{"a":"ä","z":null}]}',
  );
  for (const number of [Number.NaN, Infinity, -Infinity]) assert.throws(() => canonicalJson({ number }), TypeError);
});

test('any value reads back as itself, and the order of its keys does not matter', () => {
  const shuffled = (value: Json): Json => {
    if (Array.isArray(value)) return value.map((item: Json) => shuffled(item));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(
      Object.entries(value)
        .toReversed()
        .map(([key, member]) => [key, member === undefined ? undefined : shuffled(member)]),
    );
  };
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const text = canonicalJson(value);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
      assert.equal(canonicalJson(shuffled(value as Json)), text);
    }),
  );
});
