import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../base/index.ts';
import { parsePackages } from './package-index.ts';
import { resolvePackages } from './resolve.ts';

/** `name version` and fields, one package for each line: "a 1 Depends: b | c; Provides: d". */
function index(...lines: readonly string[]): ReturnType<typeof parsePackages> {
  return parsePackages(
    lines
      .map((line) => {
        const [, name, version, rest = ''] = /^(\S+) (\S+) ?(.*)$/.exec(line) ?? [];
        const fields = rest.split('; ').filter((field) => field !== '');
        const architecture = fields.some((field) => field.startsWith('Architecture:')) ? [] : ['Architecture: amd64'];
        const file = [`Filename: pool/${name}.deb`, 'Size: 1', `SHA256: ${'0'.repeat(64)}`];
        return [`Package: ${name}`, `Version: ${version}`, ...architecture, ...fields, ...file].join('\n');
      })
      .join('\n\n'),
  );
}

const names = (
  packages: readonly string[],
  indexes: readonly ReturnType<typeof parsePackages>[],
  o: { prefer?: readonly string[] } = {},
): string =>
  resolvePackages(indexes, { packages, architecture: 'amd64', base: [], ...o })
    .map(({ record }) => `${record.name}=${record.version}`)
    .join(' ');

const fails = (code: string, message: RegExp, run: () => unknown): void => {
  assert.throws(run, (error) => hasCode(error, code) && message.test(error.message));
};

test('the base: essential, required, apt and what they need', () => {
  const from = index(
    'dash 1 Essential: yes; Pre-Depends: libc',
    'libc 2',
    'tzdata 1 Priority: required',
    'apt 3 Depends: dash',
    'vim 1',
  );
  const chosen = resolvePackages([from], { packages: ['vim'], architecture: 'amd64' });
  assert.deepEqual(
    chosen.map(({ record, auto, base }) => [record.name, auto, base]),
    [
      ['apt', false, true],
      ['dash', false, true],
      ['libc', true, true],
      ['tzdata', false, true],
      ['vim', false, false],
    ],
  );
});

test('the highest version of several suites, unless one is asked for', () => {
  const suites = [index('a 1.0-1'), index('a 1.0-1+deb12u1'), index('a 1.0-1~bpo1')];
  assert.equal(names(['a'], suites), 'a=1.0-1+deb12u1');
  assert.equal(names(['a=1.0-1'], suites), 'a=1.0-1');
  fails('PACKAGE_VERSION_UNKNOWN', /"2" of package "a": the mirror has 1\.0-1, /, () => names(['a=2'], suites));
});

test('a pinned version must do for those who need it', () => {
  const from = index('a 1', 'a 2', 'b 1 Depends: a (>= 2)');
  fails('DEPENDENCY_UNMET', /install "b": needs a \(>= 2\)/, () => names(['a=1', 'b'], [from]));
});

test('alternatives: the first that there is, what is chosen already, what is preferred', () => {
  const from = index('x 1 Depends: none | b | c', 'b 1', 'c 1', 'y 1 Depends: b | c');
  assert.equal(names(['x'], [from]), 'b=1 x=1');
  assert.equal(names(['c', 'y'], [from]), 'c=1 y=1');
  assert.equal(names(['y'], [from], { prefer: ['c'] }), 'c=1 y=1');
});

test('virtual packages', () => {
  const from = index(
    'x 1 Depends: mta',
    'zmail 1 Provides: mta; Priority: important',
    'amail 1 Provides: mta; Priority: optional',
    'v 1 Depends: api (>= 2)',
    'new 1 Provides: api (= 2.1)',
    'old 1 Provides: api (= 1), api2',
    'plain 1 Provides: api',
  );
  assert.equal(names(['x'], [from]), 'x=1 zmail=1');
  assert.equal(names(['v'], [from]), 'new=1 v=1');
  assert.equal(names(['api2'], [from]), 'old=1');
  assert.throws(
    () => names(['mta'], [from]),
    (error) => hasCode(error, 'PACKAGE_UNKNOWN') && error.remedy === 'Name one of zmail, amail.',
  );
});

test('architectures and their qualifiers', () => {
  const from = index(
    'a 1 Depends: py:any, tool:native, doc',
    'py 1 Multi-Arch: allowed',
    'tool 1',
    'doc 1 Architecture: all',
    'foreign 9 Architecture: arm64',
    'b 1 Depends: tool:any',
  );
  assert.equal(names(['a'], [from]), 'a=1 doc=1 py=1 tool=1');
  fails('PACKAGE_UNKNOWN', /"foreign"/, () => names(['foreign'], [from]));
  fails('DEPENDENCY_UNMET', /tool:any/, () => names(['b'], [from]));
});

test('circles', () => {
  assert.equal(names(['a'], [index('a 1 Depends: b', 'b 1 Depends: a')]), 'a=1 b=1');
});

test('conflicts are avoided where there is a choice, else said', () => {
  const from = index(
    'a 1',
    'b 1 Conflicts: a',
    'c 1',
    'x 1 Depends: b | c',
    'y 1 Depends: b',
    'z 1 Breaks: a (<< 2)',
    'w 1 Breaks: a (<< 1)',
  );
  assert.equal(names(['a', 'x'], [from]), 'a=1 c=1 x=1');
  fails('DEPENDENCY_UNMET', /install "y": needs b: b 1 conflicts with a, and a 1 is chosen/, () =>
    names(['a', 'y'], [from]),
  );
  fails('PACKAGE_CONFLICT', /z 1 breaks a \(<< 2\)/, () => names(['a', 'z'], [from]));
  fails('PACKAGE_CONFLICT', /z 1 breaks a/, () => names(['z', 'a'], [from]));
  assert.equal(names(['a', 'w'], [from]), 'a=1 w=1');
});

test('a package that conflicts with what it provides itself', () => {
  const from = index('mta-a 1 Provides: mta; Conflicts: mta', 'mta-b 1 Provides: mta; Conflicts: mta');
  assert.equal(names(['mta-a'], [from]), 'mta-a=1');
  fails('PACKAGE_CONFLICT', /conflicts with mta/, () => names(['mta-a', 'mta-b'], [from]));
});

test('the way to what is missing is told', () => {
  const from = index('a 1 Depends: b', 'b 1 Depends: c (>= 2) | d', 'c 1');
  fails(
    'DEPENDENCY_UNMET',
    /^install "a" for "b": needs c \(>= 2\) \| d: \(1\) "c \(>= 2\)" is not what the mirror has, c 1; \(2\) the mirror has no "d"$/,
    () => names(['a'], [from]),
  );
});

test('names in an index are found whatever stands beside them', () => {
  const all = ['a', 'a-b', 'a.b', 'a+', 'aa', 'b', 'b1', 'lib', 'lib-a', 'zz'];
  const from = index(...all.map((name) => `${name} 1 Provides: v-${name}, shared`));
  for (const name of all) {
    assert.deepEqual(
      from.named(name).map((record) => record.name),
      [name],
    );
    assert.deepEqual(
      from.providing(`v-${name}`).map((record) => record.name),
      [name],
    );
  }
  assert.equal(from.providing('shared').length, all.length);
  assert.equal(from.count, all.length);
  for (const name of ['', '!', 'ab', 'zzz', 'lib-']) assert.deepEqual(from.named(name), []);
});
