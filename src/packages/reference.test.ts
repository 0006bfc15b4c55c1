import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode, parseToml } from '../base/index.ts';
import { basesTable } from './bases-table.ts';
import { debianArchitecture, isBaseReference, parseBaseReference } from './reference.ts';

test('suites and variants as tags', () => {
  const of = (tag: string): string => {
    const { suite, variant } = parseBaseReference(`packages.local/debian${tag}`);
    return `${suite} ${variant}`;
  };
  assert.equal(of(':bookworm'), 'bookworm minbase');
  assert.equal(of(':bookworm-slim'), 'bookworm slim');
  assert.equal(of(':13-slim'), 'trixie slim');
  assert.equal(of(':12'), 'bookworm minbase');
  assert.equal(of(':latest'), 'stable minbase');
  assert.equal(of(''), 'stable minbase');
  assert.equal(of(':bookworm-backports'), 'bookworm-backports minbase');
});

test('what is no base', () => {
  for (const reference of [
    'packages.local/debian:',
    'packages.local/a/b',
    'packages.local/Debian',
    'packages.local/debian@sha256:0',
  ])
    assert.throws(
      () => parseBaseReference(reference),
      (error) => hasCode(error, 'REFERENCE_INVALID'),
      reference,
    );
  assert.throws(
    () => parseBaseReference('packages.local/ubuntu:noble'),
    (error) => hasCode(error, 'REFERENCE_INVALID') && /no base "ubuntu"/.test(error.message),
  );
  assert.ok(isBaseReference('packages.local/debian'));
  assert.ok(!isBaseReference('docker.io/library/debian'));
});

test('architectures', () => {
  const of = (architecture: string, variant?: string): string => debianArchitecture({ architecture, variant });
  assert.deepEqual(
    [of('amd64'), of('arm64', 'v8'), of('arm', 'v7'), of('arm', 'v6'), of('386'), of('ppc64le'), of('riscv64')],
    ['amd64', 'arm64', 'armhf', 'armel', 'i386', 'ppc64el', 'riscv64'],
  );
});

const table = (text: string): ReturnType<typeof basesTable> => basesTable(parseToml(text, 'strake.toml'));

test('bases of strake.toml', () => {
  const bases = table(`
[bases.web]
suite = "bookworm-slim"
packages = ["nginx-light", "curl=1.0"]
[bases.tools]
suite = "13"
variant = "slim"
components = ["main", "contrib"]
mirror = "http://m/debian"
security-mirror = "http://m/security"
`);
  assert.deepEqual(parseBaseReference('packages.local/web', bases), {
    distribution: 'debian',
    suite: 'bookworm',
    variant: 'slim',
    packages: ['nginx-light', 'curl=1.0'],
    components: ['main'],
    mirror: undefined,
    securityMirror: undefined,
  });
  const tools = parseBaseReference('packages.local/tools', bases);
  assert.deepEqual(
    [tools.suite, tools.variant, tools.mirror, tools.securityMirror],
    ['trixie', 'slim', 'http://m/debian', 'http://m/security'],
  );
  assert.throws(
    () => parseBaseReference('packages.local/wbe', bases),
    (error) => hasCode(error, 'REFERENCE_INVALID') && /web, tools/.test(error.remedy ?? ''),
  );
  assert.equal(table('').size, 0);
});

test('bases that make no sense', () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['bases = 1', /not a table/],
    ['[bases]\nx = 1', /\[bases\.x\] is not a table/],
    ['[bases.x]', /"suite" is missing/],
    ['[bases.x]\nsuite = 12', /"suite" is not a text/],
    ['[bases.x]\nsuite = "sid"\nvariant = "fat"', /"variant" is "fat"/],
    ['[bases.x]\nsuite = "sid"\npackages = "a"', /not a list/],
    ['[bases.x]\nsuite = "sid"\npackges = []', /unknown key "packges"/],
    ['[bases.X]\nsuite = "sid"', /lower-case/],
  ];
  for (const [text, message] of wrong)
    assert.throws(
      () => table(text),
      (error) => hasCode(error, 'BASES_INVALID') && message.test(error.message),
      text,
    );
});
