import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasCode, systemRandom, tempFolder } from '../base/index.ts';
import type { AptConfig } from './apt-config.ts';
import { parseAptConf } from './apt-settings.ts';
import { parseListFile } from './apt-sources.ts';
import { mirrorLogins, sourcesFor } from './suite-sources.ts';

const components = ['main'];

function config(list: string, conf = ''): AptConfig {
  return { settings: parseAptConf([conf]), sources: parseListFile(list, 'sources.list'), trusted: [], logins: [] };
}

const machine = config(
  `deb [signed-by=/k.gpg] http://a/debian/ bookworm main contrib
deb [signed-by=/k.gpg] http://a/debian bookworm-updates main
deb http://s/debian-security bookworm-security main
deb http://a/debian bookworm-backports main
deb http://other/repo stable main
deb http://node/x nodistro main
`,
);

const shape = (sources: ReturnType<typeof sourcesFor>): unknown[] =>
  sources.map(({ uris, suite, role, optional }) => [uris.join(' '), suite, role, optional]);

test('a suite that the configuration names: these sources and no others', () => {
  const sources = sourcesFor('bookworm', machine, { components });
  assert.deepEqual(shape(sources), [
    ['http://a/debian', 'bookworm', 'release', false],
    ['http://a/debian', 'bookworm-updates', 'updates', false],
    ['http://s/debian-security', 'bookworm-security', 'security', false],
  ]);
  assert.deepEqual(sources[0]?.signedBy?.files, ['/k.gpg']);
  assert.deepEqual(sources[0]?.components, ['main']);
});

test('what others call by the name of a release is not used', () => {
  assert.deepEqual(shape(sourcesFor('stable', machine, { components }))[0], [
    'http://a/debian',
    'stable',
    'release',
    false,
  ]);
  const odd = config(
    'deb [signed-by=/c.gpg] http://chrome/deb stable main\ndeb http://artifacts/mirror-of-it bookworm main\n',
  );
  assert.deepEqual(shape(sourcesFor('bookworm', odd, { components })), [
    ['http://artifacts/mirror-of-it', 'bookworm', 'release', false],
  ]);
});

test('another suite: the same mirrors, side suites only where there are such', () => {
  assert.deepEqual(shape(sourcesFor('trixie', machine, { components })), [
    ['http://a/debian', 'trixie', 'release', false],
    ['http://a/debian', 'trixie-updates', 'updates', true],
    ['http://s/debian-security', 'trixie-security', 'security', true],
  ]);
  assert.deepEqual(shape(sourcesFor('sid', machine, { components })), [['http://a/debian', 'sid', 'release', false]]);
  assert.equal(sourcesFor('buster', machine, { components })[2]?.suite, 'buster/updates');
});

test('a mirror that is named', () => {
  assert.deepEqual(shape(sourcesFor('bookworm', machine, { components, mirror: 'http://m/debian/' })), [
    ['http://m/debian', 'bookworm', 'release', false],
    ['http://m/debian', 'bookworm-updates', 'updates', true],
    ['http://m/debian-security', 'bookworm-security', 'security', true],
  ]);
  const snapshot = sourcesFor('bookworm', machine, { components, mirror: 'http://m/archive/debian/20250520T000000Z' });
  assert.deepEqual(snapshot[2]?.uris, ['http://m/archive/debian-security/20250520T000000Z']);
  const flat = sourcesFor('bookworm', machine, { components, mirror: 'file:/srv/mirror' });
  assert.deepEqual(
    flat.map(({ suite }) => suite),
    ['bookworm', 'bookworm-updates'],
  );
  const security = sourcesFor('bookworm', machine, {
    components,
    mirror: 'http://m/x',
    securityMirror: 'http://m/sec',
  });
  assert.deepEqual(shape(security)[2], ['http://m/sec', 'bookworm-security', 'security', false]);
  assert.deepEqual(sourcesFor('bookworm', machine, { components, mirror: 'http://a/debian' })[0]?.signedBy?.files, [
    '/k.gpg',
  ]);
});

test('freshness is checked unless the configuration says otherwise', () => {
  const list = 'deb http://a/debian bookworm main\n';
  const flags = (from: AptConfig): unknown[] =>
    sourcesFor('bookworm', from, { components }).map((source) => [
      source.checkValidUntil,
      source.checkDate,
      source.trusted,
    ]);
  assert.deepEqual(flags(config(list)), [[true, true, false]]);
  assert.deepEqual(flags(config(list, 'Acquire::Check-Valid-Until "false"; Acquire::Check-Date "0";')), [
    [false, false, false],
  ]);
  const own = config(
    'deb [check-valid-until=yes trusted=yes] http://a/debian bookworm main',
    'Acquire::Check-Valid-Until "no";',
  );
  assert.deepEqual(flags(own), [[true, true, true]]);
});

test('no Debian archive in the configuration', () => {
  assert.throws(
    () => sourcesFor('bookworm', config('deb http://archive/ubuntu noble main universe\n'), { components }),
    (error) => hasCode(error, 'MIRROR_UNKNOWN') && error.remedy?.includes('--mirror') === true,
  );
});

test('mirrors that cannot be used', () => {
  for (const mirror of ['ftp://a/debian', 'cdrom:[x]/', 'nonsense'])
    assert.throws(
      () => sourcesFor('sid', machine, { components, mirror }),
      (error) => hasCode(error, 'MIRROR_UNSUPPORTED'),
    );
});

test('a list of mirrors in a file', () => {
  using folder = tempFolder(tmpdir(), systemRandom);
  const list = join(folder.path, 'mirrors');
  writeFileSync(list, '# mirrors\nhttp://one/debian\tpriority:1\nhttp://two/debian/\n');
  const sources = sourcesFor('sid', config(`deb mirror+file:${list} bookworm main\n`), { components });
  assert.deepEqual(sources[0]?.uris, ['http://one/debian', 'http://two/debian']);
});

test('logins in addresses are kept apart from the addresses', () => {
  const from = config('deb http://u:p%40x@a/debian bookworm main\n');
  assert.deepEqual(sourcesFor('bookworm', from, { components })[0]?.uris, ['http://a/debian']);
  assert.deepEqual(mirrorLogins(from), [{ machine: 'http://a/debian', login: 'u', password: 'p@x' }]);
});
