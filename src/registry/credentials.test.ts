import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { hasCode, systemRandom } from '../base/index.ts';
import { normalKey } from './credential-file.ts';
import type { Credential } from './credential.ts';
import { Credentials } from './credentials.ts';

const auth = (text: string): string => Buffer.from(text).toString('base64');
const password = (username: string, secret: string): Credential => ({ username, secret, kind: 'password' });

/** A home folder with these files (JSON unless text), and helpers on PATH that keep one login for each server in files. */
function world(files: Record<string, unknown> = {}, env: Record<string, string> = {}) {
  const home = mkdtempSync(join(tmpdir(), 'strake-home-'));
  const bin = join(home, 'bin');
  mkdirSync(bin);
  const helper = (name: string, script: string): void => {
    writeFileSync(join(bin, `docker-credential-${name}`), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, `docker-credential-${name}`), 0o755);
  };
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), typeof content === 'string' ? content : JSON.stringify(content));
  }
  const warnings: string[] = [];
  const credentials = new Credentials({
    home,
    env: {
      PATH: `${bin}:${process.env['PATH']}`,
      HOME: home,
      ...Object.fromEntries(Object.entries(env).map(([key, value]) => [key, value.replace('~', home)])),
    },
    random: systemRandom,
    warn: (message) => warnings.push(message),
  });
  const get = (registry: string, repository?: string): Promise<Credential | undefined> =>
    credentials.lookup({ registry, repository });
  return { home, helper, warnings, credentials, get, [Symbol.dispose]: () => rmSync(home, { recursive: true }) };
}

test('keys: the closest path wins, whole parts only, siblings get nothing', async () => {
  using one = world({
    '.docker/config.json': {
      auths: {
        'quay.io': { auth: auth('host:1') },
        'quay.io/team': { auth: auth('team:2') },
        'quay.io/team/app': { auth: auth('app:3:4') },
        'https://old.test/v1/': { auth: auth('old:5') },
        'https://index.docker.io/v1/': { auth: auth('hub:6') },
        'only.test/part': { auth: auth('part:7') },
      },
    },
  });
  assert.deepEqual(await one.get('quay.io', 'team/app'), password('app', '3:4'));
  assert.deepEqual(await one.get('quay.io', 'team/application'), password('team', '2'));
  assert.deepEqual(await one.get('quay.io', 'teams/app'), password('host', '1'));
  assert.deepEqual(await one.get('quay.io'), password('host', '1'));
  assert.deepEqual(await one.get('old.test', 'x'), password('old', '5'));
  for (const hub of ['docker.io', 'index.docker.io', 'registry-1.docker.io'])
    assert.deepEqual(await one.get(hub, 'library/x'), password('hub', '6'));
  assert.equal(await one.get('only.test', 'party'), undefined);
  assert.equal(await one.get('evil-quay.io', 'team/app'), undefined);
  assert.equal(await one.get('quay.io.evil.test', 'team/app'), undefined);
});

test('keys are normalised as Docker wrote them over the years', () => {
  assert.deepEqual(
    [
      'https://index.docker.io/v1/',
      'http://A.test:5000/',
      'b.test/v2/',
      'b.test/v2/x',
      'registry-1.docker.io/team',
    ].map(normalKey),
    ['docker.io', 'a.test:5000', 'b.test', 'b.test/v2/x', 'docker.io/team'],
  );
});

test('files are looked at in order, what is given explicitly first', async () => {
  const file = (user: string): unknown => ({ auths: { 'r.test': { auth: auth(`${user}:x`) } } });
  const all = {
    '.docker/config.json': file('home'),
    'other/config.json': file('docker-config'),
    'auth-file.json': file('auth-file'),
    'run/containers/auth.json': file('runtime'),
    '.config/containers/auth.json': file('config'),
    '.dockercfg': { 'r.test': { auth: auth('legacy:x') } },
  };
  const order: [string, Record<string, string>][] = [
    ['env', { DOCKER_AUTH_CONFIG: JSON.stringify(file('env')), DOCKER_CONFIG: '~/other' }],
    ['docker-config', { DOCKER_CONFIG: '~/other', REGISTRY_AUTH_FILE: '~/auth-file.json' }],
    ['auth-file', { REGISTRY_AUTH_FILE: '~/auth-file.json' }],
    ['home', {}],
    ['runtime', { DOCKER_CONFIG: '~/none', XDG_RUNTIME_DIR: '~/run' }],
    ['config', { DOCKER_CONFIG: '~/none' }],
    ['legacy', { DOCKER_CONFIG: '~/none', XDG_CONFIG_HOME: '~/none' }],
  ];
  for (const [user, env] of order) {
    using one = world(all, env);
    assert.equal((await one.get('r.test'))?.username, user);
  }
});

test('entries: identity and registry tokens, user and password apart, empty ones', async () => {
  using one = world({
    '.docker/config.json': {
      auths: {
        'a.test': { auth: auth('user:'), identitytoken: 'refresh' },
        'b.test': { registrytoken: 'ready' },
        'c.test': { username: 'u', password: 'p' },
        'd.test': {},
        'e.test': { auth: auth('<token>:refresh') },
        'f.test': { auth: auth('u:p\0\0') },
        'g.test': null,
      },
    },
  });
  assert.deepEqual(await one.get('a.test'), { username: 'user', secret: 'refresh', kind: 'identity-token' });
  assert.deepEqual(await one.get('b.test'), { username: undefined, secret: 'ready', kind: 'bearer' });
  assert.deepEqual(await one.get('c.test'), password('u', 'p'));
  assert.equal(await one.get('d.test'), undefined);
  assert.deepEqual(await one.get('e.test'), { secret: 'refresh', kind: 'identity-token' });
  assert.deepEqual(await one.get('f.test'), password('u', 'p'));
  assert.equal(await one.get('g.test'), undefined);
});

test('a broken file is named, and nothing of it is quoted', async () => {
  for (const content of [
    '{"auths": {"x": {"auth": "c2VjcmV0"',
    '[]',
    '{"auths": "c2VjcmV0"}',
    '{"auths":{"x.test":{"auth":"c2VjcmV0"}}}',
    '{"credsStore": 1}',
  ]) {
    using one = world({ '.docker/config.json': content });
    await assert.rejects(one.get('x.test'), (error) => {
      assert.ok(hasCode(error, 'CREDENTIALS_INVALID'), String(error));
      assert.match(error.message, /\.docker\/config\.json"/);
      assert.doesNotMatch(`${error.message} ${error.remedy}`, /c2VjcmV0|secret/);
      return true;
    });
  }
  using empty = world({ '.docker/config.json': '' });
  assert.equal(await empty.get('x.test'), undefined);
});

test('helpers: for one registry, for all, with tokens, with nothing, broken', async () => {
  using one = world({
    '.docker/config.json': {
      credHelpers: {
        'one.test': 'one',
        'token.test': 'token',
        'bad.test': 'bad',
        'gone.test': 'gone',
        'odd.test': '../odd',
      },
      credsStore: 'store',
      auths: {
        'file.test': { auth: auth('file:x') },
        'store.test': { auth: auth('stale:x') },
        'store.test/deep': { auth: auth('deep:x') },
      },
    },
  });
  one.helper(
    'one',
    'read server; echo "{\\"ServerURL\\":\\"$server\\",\\"Username\\":\\"$server\\",\\"Secret\\":\\"s1\\"}"',
  );
  one.helper('token', 'echo \'{"Username":"<token>","Secret":"refresh"}\'');
  one.helper('bad', 'echo "the vault is locked"; exit 1');
  one.helper(
    'store',
    'read server; case $server in store.test|https://index.docker.io/v1/) echo "{\\"Username\\":\\"kept\\",\\"Secret\\":\\"$server\\"}";; *) echo "credentials not found in native keychain"; exit 1;; esac',
  );
  assert.deepEqual(await one.get('one.test', 'a/b'), password('one.test', 's1'));
  assert.deepEqual(await one.get('token.test'), { secret: 'refresh', kind: 'identity-token' });
  await assert.rejects(
    one.get('bad.test'),
    (error) => hasCode(error, 'CREDENTIAL_HELPER_FAILED') && /the vault is locked/.test(error.message),
  );
  await assert.rejects(
    one.get('gone.test'),
    (error) => hasCode(error, 'CREDENTIAL_HELPER_FAILED') && /docker-credential-gone/.test(error.message),
  );
  await assert.rejects(one.get('odd.test'), (error) => hasCode(error, 'CREDENTIALS_INVALID'));
  assert.deepEqual(await one.get('store.test'), password('kept', 'store.test'));
  assert.deepEqual(await one.get('store.test', 'deep/x'), password('deep', 'x'));
  assert.deepEqual(await one.get('docker.io', 'library/x'), password('kept', 'https://index.docker.io/v1/'));
  assert.deepEqual(await one.get('file.test'), password('file', 'x'));
  assert.deepEqual(one.warnings, []);
});

test('a credsStore that is not installed does not hinder anonymous reads', async () => {
  using one = world({
    '.docker/config.json': { credsStore: 'desktop.exe', auths: { 'file.test': { auth: auth('file:x') } } },
  });
  assert.equal(await one.get('x.test'), undefined);
  assert.deepEqual(await one.get('file.test'), password('file', 'x'));
  assert.match(one.warnings[0] ?? '', /docker-credential-desktop\.exe.*going on without it/);
});

test('login and logout keep what else is in the file, its link, and its secrets from others', async () => {
  using one = world({
    'dotfiles/config.json': {
      HttpHeaders: { a: 'b' },
      auths: { 'other.test': { auth: auth('o:p') }, 'https://r.test/v1/': { auth: auth('old:old') } },
    },
  });
  mkdirSync(join(one.home, '.docker'));
  symlinkSync('../dotfiles/config.json', join(one.home, '.docker/config.json'));
  const place = await one.credentials.login('r.test', { credential: password('anne', 'secret') });
  assert.deepEqual(place, { kind: 'file', path: join(one.home, '.docker/config.json') });
  assert.equal(lstatSync(join(one.home, '.docker/config.json')).isSymbolicLink(), true);
  assert.equal(statSync(join(one.home, 'dotfiles/config.json')).mode & 0o777, 0o600);
  assert.deepEqual(JSON.parse(readFileSync(join(one.home, 'dotfiles/config.json'), 'utf8')), {
    HttpHeaders: { a: 'b' },
    auths: { 'other.test': { auth: auth('o:p') }, 'r.test': { auth: auth('anne:secret') } },
  });
  assert.deepEqual(await one.get('r.test'), password('anne', 'secret'));
  assert.equal(await one.credentials.logout('r.test'), true);
  assert.equal(await one.credentials.logout('r.test'), false);
  assert.equal(await one.get('r.test'), undefined);
  assert.deepEqual(await one.get('other.test'), password('o', 'p'));
  assert.deepEqual(readdirSync(join(one.home, 'dotfiles')), ['config.json']);
});

test('login makes the folder, for Docker Hub under its old name, and for an identity token', async () => {
  using one = world();
  await one.credentials.login('docker.io', {
    credential: { username: 'anne', secret: 'refresh', kind: 'identity-token' },
  });
  const file = join(one.home, '.docker/config.json');
  assert.equal(statSync(dirname(file)).mode & 0o777, 0o700);
  assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), {
    auths: { 'https://index.docker.io/v1/': { auth: auth('anne:'), identitytoken: 'refresh' } },
  });
  assert.deepEqual(await one.get('docker.io', 'library/x'), {
    username: 'anne',
    secret: 'refresh',
    kind: 'identity-token',
  });
});

test('login and logout use the helper that is configured, and write no secret beside it', async () => {
  using one = world({ '.docker/config.json': { credsStore: 'vault' } });
  const vault = join(one.home, 'vault.json');
  one.helper(
    'vault',
    `case $1 in store) cat > ${vault};; get) test -e ${vault} && cat ${vault} || { echo credentials not found; exit 1; };; erase) rm ${vault};; esac`,
  );
  assert.deepEqual(await one.credentials.login('r.test', { credential: password('anne', 'secret') }), {
    kind: 'helper',
    name: 'vault',
  });
  assert.deepEqual(JSON.parse(readFileSync(vault, 'utf8')), {
    ServerURL: 'r.test',
    Username: 'anne',
    Secret: 'secret',
  });
  assert.deepEqual(JSON.parse(readFileSync(join(one.home, '.docker/config.json'), 'utf8')), {
    credsStore: 'vault',
    auths: { 'r.test': {} },
  });
  assert.deepEqual(await one.get('r.test'), password('anne', 'secret'));
  assert.equal(await one.credentials.logout('r.test'), true);
  assert.equal(existsSync(vault), false);
  one.helper('vault', 'cat; exit 1');
  await assert.rejects(
    one.credentials.login('r.test', { credential: password('anne', 'secret') }),
    (error) => hasCode(error, 'CREDENTIAL_HELPER_FAILED') && !/secret/.test(error.message),
  );
});
