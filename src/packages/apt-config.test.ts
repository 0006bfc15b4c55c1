import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { hasCode, proxyFor, systemRandom, tempFolder } from '../base/index.ts';
import { loginFor, parseLogins, readAptConfig } from './apt-config.ts';
import { aptProxyEnvironment } from './apt-proxy.ts';
import { parseAptConf, parseDump } from './apt-settings.ts';
import { parseListFile, parseSourcesFile } from './apt-sources.ts';

test('apt-config dump', () => {
  const settings = parseDump('APT "";\nAcquire::Check-Valid-Until "false";\nA::List:: "x";\nDir::Quoted "a%22b";\n');
  assert.equal(settings.flag('Acquire::check-valid-until'), false);
  assert.equal(settings.get('dir::quoted'), 'a"b');
  assert.equal(settings.get('a::list::'), undefined);
  assert.equal(settings.flag('acquire::check-date'), undefined);
});

test('apt.conf text: scopes, comments, clearing', () => {
  const settings = parseAptConf([
    '// no\nAcquire { Check-Valid-Until "yes"; http { Proxy "http://proxy:3128/"; }; /* Check-Date "0"; */ };',
    'Acquire::Check-Valid-Until "0"; # no\nAPT::Keep "1";\n#clear APT::Keep;\nAcquire::Max-ValidTime 86400;',
  ]);
  assert.equal(settings.flag('acquire::check-valid-until'), false);
  assert.equal(settings.get('acquire::http::proxy'), 'http://proxy:3128/');
  assert.equal(settings.get('acquire::check-date'), undefined);
  assert.equal(settings.get('apt::keep'), undefined);
  assert.equal(settings.number('acquire::max-validtime'), 86_400);
});

test('one-line sources', () => {
  const text = `# comment
deb [ arch=amd64,arm64 signed-by=/k/a.gpg check-valid-until=no ] http://a/debian/ bookworm main contrib # end
deb-src http://a/debian bookworm main
deb [trusted=yes] file:/srv/repo ./
`;
  const [first, second, ...more] = parseListFile(text, 'x.list');
  assert.deepEqual(more, []);
  assert.deepEqual(first, {
    uris: ['http://a/debian/'],
    suites: ['bookworm'],
    components: ['main', 'contrib'],
    architectures: ['amd64', 'arm64'],
    signedBy: { files: ['/k/a.gpg'], fingerprints: [] },
    checkValidUntil: false,
    file: 'x.list',
  });
  assert.equal(second?.trusted, true);
  assert.deepEqual(second?.components, []);
});

test('a line that is no source has its place in the error', () => {
  assert.throws(
    () => parseListFile('deb http://a/debian bookworm main\ngarbage\n', 'x.list'),
    (error) => hasCode(error, 'APT_CONFIG_INVALID') && error.place?.line === 2,
  );
});

test('deb822 sources: several values, a key written in, disabled ones', () => {
  const text = `Types: deb deb-src
URIs: http://a/debian http://b/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abcd
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://c/debian
Suites: sid
Components: main
Enabled: no

Types: deb
URIs: http://d/debian
Suites: trixie
Components: main
Check-Date: no
Signed-By: 0123456789ABCDEF0123456789ABCDEF01234567 /k/b.gpg
`;
  const [first, second, ...more] = parseSourcesFile(text, 'x.sources');
  assert.deepEqual(more, []);
  assert.deepEqual(first?.uris, ['http://a/debian', 'http://b/debian']);
  assert.equal(
    first?.signedBy?.key,
    '\n-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabcd\n-----END PGP PUBLIC KEY BLOCK-----',
  );
  assert.equal(second?.checkDate, false);
  assert.deepEqual(second?.signedBy, {
    files: ['/k/b.gpg'],
    fingerprints: ['0123456789ABCDEF0123456789ABCDEF01234567'],
  });
  assert.throws(
    () => parseSourcesFile('Types: deb\nURIs: http://a\n', 'y'),
    (error) => hasCode(error, 'APT_CONFIG_INVALID'),
  );
});

test('a whole configuration below another root', async () => {
  using folder = tempFolder(tmpdir(), systemRandom);
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder.path, path)), { recursive: true });
    writeFileSync(join(folder.path, path), text);
  };
  put('etc/apt/sources.list', 'deb http://a/debian bookworm main\n');
  put('etc/apt/sources.list.d/b.sources', 'Types: deb\nURIs: http://b/debian\nSuites: sid\nComponents: main\n');
  put('etc/apt/sources.list.d/c.list.disabled', 'garbage');
  put('etc/apt/apt.conf.d/99x', 'Acquire::Check-Valid-Until "false";');
  put('etc/apt/trusted.gpg.d/k.asc', 'key');
  put('etc/apt/auth.conf.d/m.conf', 'machine http://a/debian login u password p\n');
  const config = await readAptConfig({ root: folder.path });
  assert.deepEqual(
    config.sources.map(({ uris }) => uris[0]),
    ['http://a/debian', 'http://b/debian'],
  );
  assert.equal(config.settings.flag('acquire::check-valid-until'), false);
  assert.deepEqual(config.trusted, [join(folder.path, 'etc/apt/trusted.gpg.d/k.asc')]);
  assert.equal(config.logins[0]?.login, 'u');
});

test('no configuration at all', async () => {
  using folder = tempFolder(tmpdir(), systemRandom);
  const config = await readAptConfig({ root: folder.path });
  assert.deepEqual([config.sources, config.trusted, config.logins], [[], [], []]);
});

test('which login is for which mirror', () => {
  const logins = parseLogins(
    '# c\nmachine a.example/deb login one password 1\nmachine http://b.example:81 login two password 2\n',
  );
  const of = (url: string): string | undefined => loginFor(logins, new URL(url))?.login;
  assert.equal(of('https://a.example/deb/dists'), 'one');
  assert.equal(of('http://a.example/deb/dists'), undefined);
  assert.equal(of('https://a.example/debian'), undefined);
  assert.equal(of('http://b.example:81/x'), 'two');
  assert.equal(of('http://b.example/x'), undefined);
});

test('the proxy that apt would use', async () => {
  const env = { HTTP_PROXY: 'http://env:1', https_proxy: 'http://env:2', NO_PROXY: 'local' };
  const of = (conf: string): unknown => {
    const sources = parseListFile('deb http://a/debian bookworm main\ndeb https://b/debian bookworm main\n', 'x');
    const settings = parseAptConf([conf]);
    const found = aptProxyEnvironment({ settings, sources, trusted: [], logins: [] }, env);
    return ['http://a/', 'https://b/'].map((url) => proxyFor(new URL(url), found)?.href);
  };
  assert.deepEqual(of(''), ['http://env:1/', 'http://env:2/']);
  assert.deepEqual(of('Acquire::http::Proxy "http://apt:3128";'), ['http://apt:3128/', 'http://apt:3128/']);
  assert.deepEqual(of('Acquire::http::Proxy "DIRECT";'), [undefined, undefined]);
  assert.deepEqual(of('Acquire::https::Proxy "http://s:1";'), ['http://env:1/', 'http://s:1/']);
  assert.deepEqual(of('Acquire::http::Proxy { a "DIRECT"; };'), [undefined, 'http://env:2/']);
});
