import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { Io } from '../io.ts';
import { styleFor } from '../print/style.ts';
import { runCli } from '../run-cli.ts';
import { mirrorsFor } from './mirrored.ts';
import { isTrusted } from './trusted-builders.ts';
import { userConfigPath } from './user-config.ts';

/** A user with a home folder of their own. */
function user(): {
  strake(line: string): Promise<{ code: number; out: string; err: string }>;
  readonly home: string;
} & Disposable {
  const home = mkdtempSync(join(tmpdir(), 'strake-config-'));
  return {
    home,
    strake: async (line) => {
      let out = '';
      let err = '';
      const screen = (write: (text: string) => void): Io['stdout'] => ({
        isTerminal: false,
        size: () => ({ columns: 80, rows: 24 }),
        write,
        onResize: () => ({ [Symbol.dispose]: () => undefined }),
      });
      const io: Io = {
        env: {},
        cwd: home,
        home,
        stdin: Readable.from([]),
        stdout: screen((text) => (out += text)),
        stderr: screen((text) => (err += text)),
        outStyle: styleFor(false),
        errStyle: styleFor(false),
        clock: { now: () => 0 },
        random: { hex: (bytes) => '0'.repeat(bytes * 2) },
      };
      const code = await runCli(line.split(' '), { io, signal: new AbortController().signal });
      return { code, out, err };
    },
    [Symbol.dispose]: () => rmSync(home, { recursive: true }),
  };
}

test('values are shown, set, checked and forgotten; keys of others stay', async () => {
  using u = user();
  const path = userConfigPath({ env: {}, home: u.home });
  assert.equal(path, join(u.home, '.config/strake/config.toml'));
  mkdirSync(join(u.home, '.config/strake'), { recursive: true });
  writeFileSync(path, 'future = "kept"\n[[trusted-builders]]\nname = "mine"\n');
  for (const [line, out] of [
    ['config pull-policy', 'if-not-present\n'],
    ['config pull-policy never', ''],
    ['config pull-policy', 'never\n'],
    ['config default-builder', 'none is set\n'],
    ['config default-builder registry.example/b', ''],
    ['config experimental true', ''],
    ['config run-image-mirrors add run -m one --mirror two', ''],
    ['config registry-mirrors add * -m mirror.example', ''],
    ['config registries add own ./index --type folder --default', ''],
    ['config registries default', 'own\n'],
    ['config trusted-builders add theirs:1', ''],
    ['config default-builder --unset', ''],
  ] as const)
    assert.deepEqual(await u.strake(line), { code: 0, out, err: '' }, line);
  assert.equal(
    readFileSync(path, 'utf8'),
    `future = "kept"\npull-policy = "never"\nexperimental = true\ndefault-registry = "own"\n\n[[trusted-builders]]\n  name = "mine"\n\n[[trusted-builders]]\n  name = "theirs:1"\n\n[[run-images]]\n  image = "run"\n  mirrors = ["one", "two"]\n\n[registry-mirrors]\n  "*" = "mirror.example"\n\n[[registries]]\n  name = "own"\n  type = "folder"\n  url = "${u.home}/index"\n`,
  );
  assert.match(
    (await u.strake('config registries list')).out,
    /^ +NAME +TYPE +URL\n +official +github .*\n\* +own +folder /,
  );
  assert.match((await u.strake('config run-image-mirrors list')).out, /run +one\nrun +two\n/);
  await u.strake('config registries remove own');
  assert.equal((await u.strake('config registries default')).out, 'official\n');
  for (const [line, message] of [
    ['config pull-policy sometimes', /there is no such value/],
    ['config experimental perhaps', /neither true nor false/],
    ['config registries add official x', /the official one is called so/],
    ['config registries remove gone', /it is not configured/],
    ['config registries add x y --type ftp', /there is no such value/],
    ['config trusted-builders remove gone', /it is not trusted/],
    ['config trusted-builders remove heroku/builder:24', /always trusted/],
    ['config registry-mirrors add a', /no mirror was named/],
    ['config run-image-mirrors remove gone', /it has none/],
  ] as const) {
    const { code, err } = await u.strake(line);
    assert.notEqual(code, 0, line);
    assert.match(err, message, line);
  }
  writeFileSync(path, '[[registries]]\nname = 4\n');
  assert.match((await u.strake('config registries list')).err, /"name" is not what it should be/);
});

test('a builder is trusted by its exact known name, or by the word of the user', () => {
  const config = { trustedBuilders: ['mine', 'registry.example/team/exact:1'] };
  for (const [name, expected] of [
    ['paketobuildpacks/builder-jammy-base', true],
    ['paketobuildpacks/builder-jammy-base:latest', false],
    ['mine:any', true],
    ['docker.io/library/mine', true],
    ['registry.example/team/exact:1', true],
    ['registry.example/team/exact:2', false],
    ['other', false],
  ] as const)
    assert.equal(isTrusted(name, config), expected, name);
});

test('a buildpack is begun; files that are there stay', async () => {
  using u = user();
  assert.deepEqual(await u.strake('buildpack new acme/java -t linux/amd64'), {
    code: 0,
    out: 'created  buildpack.toml\ncreated  bin/detect\ncreated  bin/build\n',
    err: '',
  });
  assert.match((await u.strake('buildpack new acme/java -V 2.0.0')).out, /^there {4}buildpack\.toml\n/);
  assert.match(readFileSync(join(u.home, 'java/buildpack.toml'), 'utf8'), /version = "1\.0\.0"/);
  assert.match((await u.strake('buildpack new sbom')).err, /the name is reserved/);
  assert.match((await u.strake('extension new acme/x')).out, /created {2}bin\/generate/);
});

test('mirrors of registries: by name, of Docker Hub by any of its names, of all', () => {
  const mirrors = { 'docker.io': 'https://hub.example/proxy/', '*': 'all.example', quay: 'q.example' };
  const shown = (registry: string): unknown => mirrorsFor(registry, mirrors).map(({ host, path }) => [host, path]);
  assert.deepEqual(shown('index.docker.io'), [['hub.example', 'proxy']]);
  assert.deepEqual(shown('quay'), [['q.example', undefined]]);
  assert.deepEqual(shown('other'), [['all.example', undefined]]);
  assert.deepEqual(mirrorsFor('other', { quay: 'x' }), []);
});
