import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tomlLine } from './toml-place.ts';

const TEXT = `api = "0.10"
[buildpack]
id = "x"
"quoted key" = 1
text = """
id = "not this"
"""
[[order]]
[[order.group]]
id = "a"
[[order.group]]
id = "b"
[[order]]
  [[order.group]]
  id = "c"
[a.b]
c.d = 1
`;

test('the line of a value is found by its path', () => {
  assert.equal(tomlLine(TEXT, ['api']), 1);
  assert.equal(tomlLine(TEXT, ['buildpack']), 2);
  assert.equal(tomlLine(TEXT, ['buildpack', 'id']), 3);
  assert.equal(tomlLine(TEXT, ['buildpack', 'quoted key']), 4);
  assert.equal(tomlLine(TEXT, ['order', 0, 'group', 1, 'id']), 12);
  assert.equal(tomlLine(TEXT, ['order', 1, 'group', 0, 'id']), 15);
  assert.equal(tomlLine(TEXT, ['a', 'b', 'c', 'd']), 17);
});

test('where a value is not there it is the line of its table, or none', () => {
  assert.equal(tomlLine(TEXT, ['buildpack', 'version']), 2);
  assert.equal(tomlLine(TEXT, ['order', 0, 'group', 1, 'version']), 11);
  assert.equal(tomlLine(TEXT, ['nothing']), undefined);
});
