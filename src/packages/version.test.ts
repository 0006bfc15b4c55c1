import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { compareVersions, isVersion, satisfiesVersion } from './version.ts';

test('versions in ascending order', () => {
  const ascending =
    '0~~ 0~ 0 0.1 0.9 0.10 1.0~beta1~svn1245 1.0~beta1 1.0 1.0-1~bpo12+1 1.0-1 1.0-1+b1 1.0-1.1 1.0-2 1.0a 1.0+ 1.0.0 1.2.3 1.2.10 2 10 1:0.1 1:1.0 2:0'.split(
      ' ',
    );
  for (const [i, a] of ascending.entries())
    for (const [j, b] of ascending.entries())
      assert.equal(Math.sign(compareVersions(a, b)), Math.sign(i - j), `${a} against ${b}`);
});

test('zeros, epochs and revisions that mean the same', () => {
  for (const [a, b] of [
    ['1.0', '01.0'],
    ['0:1.0', '1.0'],
    ['1.0-0', '1.0'],
    ['1.00-001', '1.0-1'],
  ] as const)
    assert.equal(compareVersions(a, b), 0, `${a} and ${b}`);
});

test('relations', () => {
  assert.ok(satisfiesVersion('2.36-9', '>=', '2.36'));
  assert.ok(satisfiesVersion('2.36~rc1', '<<', '2.36'));
  assert.ok(!satisfiesVersion('2.36', '>>', '2.36'));
  assert.ok(satisfiesVersion('2.36', '<=', '2.36'));
  assert.ok(satisfiesVersion('2.36', '=', '0:2.36'));
});

test('shapes', () => {
  for (const good of ['1', '1:2.3-4', '1.0~rc1+dfsg-1+b2']) assert.ok(isVersion(good), good);
  for (const bad of ['', 'a1', '1:', '1.0-', '1 0', '1_0']) assert.ok(!isVersion(bad), bad);
});

test('the order is total', () => {
  const part = fc.string({ unit: fc.constantFrom('0', '1', '9', 'a', 'Z', '.', '+', '~'), minLength: 1, maxLength: 6 });
  const version = fc
    .tuple(fc.option(fc.nat(3)), part, fc.option(part))
    .map(
      ([epoch, upstream, revision]) =>
        `${epoch === null ? '' : `${epoch}:`}${upstream}${revision === null ? '' : `-${revision}`}`,
    );
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      assert.equal(Math.sign(compareVersions(a, b)), -Math.sign(compareVersions(b, a)) + 0);
      assert.equal(compareVersions(a, a), 0);
      const [x, y, z] = [a, b, c].sort(compareVersions) as [string, string, string];
      assert.ok(compareVersions(x, y) <= 0 && compareVersions(y, z) <= 0 && compareVersions(x, z) <= 0);
    }),
  );
});
