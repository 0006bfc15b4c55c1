import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { registryOf } from '../../src/registry/testing/world.ts';
import { folderWith } from '../cli/context.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { strake, type StrakeResult } from '../lib/strake.ts';

const TLS = join(import.meta.dirname, '../../src/base/testdata/tls');
const pem = (name: string): string => readFileSync(join(TLS, name), 'utf8');
const SERVER = { cert: pem('server.crt'), key: pem('server.key') };

/** `executor` with a store of its own each time, so that everything is asked for. */
async function executor(
  store: TestStore,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<StrakeResult> {
  const root = join(store.work, `store-${randomBytes(4).toString('hex')}`);
  return strake(['executor', '--log-format=text', ...args], { root, cwd: store.work, env });
}

suite('registries of executor', () => {
  test('certificates: an authority, a client certificate, none checked; by hosts', async () => {
    using store = emptyStore();
    await using registry = await registryOf({ tls: SERVER });
    await using mutual = await registryOf({
      tls: { ...SERVER, ca: pem('ca.crt'), requestCert: true },
    });
    const { host } = registry.server;
    folderWith(join(store.work, 'c'), { Dockerfile: 'FROM scratch\nCOPY a /a\n', a: 'a' });
    const args = ['-c', 'c', `-d=${host}/app`];
    const untrusted = await executor(store, args);
    assert.equal(untrusted.code, 1);
    assert.match(untrusted.stderr, /error checking push permissions: .*certificate .* is not trusted/);
    const flags = [
      '--skip-tls-verify',
      `--skip-tls-verify-registry=${host}`,
      `--registry-certificate=${host}=${TLS}/ca.crt`,
      '--insecure',
      '--skip-tls-verify-pull',
    ];
    const trusted = await Promise.all(flags.map((flag) => executor(store, [...args, flag])));
    for (const [at, { code, stderr }] of trusted.entries()) assert.equal(code, 0, `${flags[at]}: ${stderr}`);
    const other = await executor(store, [
      ...args,
      '--skip-tls-verify-registry=other.example',
      `--registry-certificate=other.example=${TLS}/ca.crt`,
    ]);
    assert.equal(other.code, 1);
    assert.match(
      (await executor(store, [...args, `--registry-certificate=${host}=/gone`])).stderr,
      /read certificate "\/gone"/,
    );
    const both = [
      '-c',
      'c',
      `-d=${mutual.server.host}/app`,
      `--registry-certificate=${mutual.server.host}=${TLS}/ca.crt`,
    ];
    assert.equal((await executor(store, both)).code, 1);
    const known = await executor(store, [
      ...both,
      `--registry-client-cert=${mutual.server.host}=${TLS}/client.cert,${TLS}/client.key`,
    ]);
    assert.equal(known.code, 0, known.stderr);
  });

  test('maps and mirrors: asked in order, with a path, by the environment, without falling back', async () => {
    using store = emptyStore();
    await using origin = await registryOf();
    await using mirror = await registryOf();
    const [from, to] = [origin.server.host, mirror.server.host];
    folderWith(store.work, {
      'base/Dockerfile': 'FROM scratch\nCOPY a /a\n',
      'base/a': 'mirrored',
      'hub/Dockerfile': 'FROM nothing-of-this-name:1\n',
      'app/Dockerfile': `FROM ${from}/base:1\nLABEL x=y\n`,
    });
    const succeeds = async (args: readonly string[], env?: Record<string, string>): Promise<void> => {
      const result = await executor(store, args, env);
      assert.equal(result.code, 0, `${args.join(' ')}: ${result.stderr}`);
    };
    await succeeds(['-c', 'base', `-d=${to}/base:1`, `-d=${to}/sub/base:1`, `-d=${to}/library/nothing-of-this-name:1`]);
    assert.equal((await executor(store, ['-c', 'app', '--no-push'])).code, 1, 'not at the origin');
    await succeeds(['-c', 'app', '--no-push', `--registry-map=${from}=${to}`]);
    await succeeds(['-c', 'app', '--no-push', `--registry-map=${from}=${from}/gone;${from}=${to}/sub/`]);
    await succeeds(['-c', 'app', '--no-push'], { KANIKO_REGISTRY_MAP: `${from}=${to}` });
    await succeeds(['-c', 'hub', '--no-push', `--registry-mirror=${to}`]);
    await succeeds(['-c', 'hub', '--no-push'], { KANIKO_REGISTRY_MIRROR: to });
    const only = ['-c', 'app', '--no-push', `--registry-map=${from}=${to}/gone`, '--skip-default-registry-fallback'];
    const failed = await executor(store, only);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /error building image: .*from its mirrors/);
    await succeeds(['-c', 'base', `-d=${from}/base:1`]);
    assert.equal((await executor(store, only)).code, 1, 'the registry has it and is not asked');
    await succeeds(only.slice(0, -1));
  });

  test('a base is asked for again in each build: a tag that moved counts', async () => {
    using store = emptyStore();
    await using registry = await registryOf();
    const { host } = registry.server;
    folderWith(store.work, {
      'base/Dockerfile': 'FROM scratch\nCOPY a /a\n',
      'base/a': 'one',
      'app/Dockerfile': `FROM ${host}/base:1\nLABEL x=y\n`,
    });
    const o = { root: store.root, cwd: store.work };
    const digest = async (): Promise<string> => {
      assert.equal((await strake(['executor', '-c', 'base', '-d', `${host}/base:1`], o)).code, 0);
      const built = await strake(['executor', '-c', 'app', '--no-push', '--reproducible', '--digest-file=d'], o);
      assert.equal(built.code, 0, built.stderr);
      return readFileSync(join(store.work, 'd'), 'utf8');
    };
    const first = await digest();
    writeFileSync(join(store.work, 'base/a'), 'two');
    assert.notEqual(await digest(), first);
  });
});
