import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock, systemRandom } from '../../src/base/index.ts';
import { MemoryBlobStore } from '../../src/blob/index.ts';
import { MemoryManifestStore, RegistryServer } from '../../src/registry/index.ts';
import { DockerPeer, peersCommand } from '../lib/docker-peer.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { strake } from '../lib/strake.ts';
import { Daemon } from './client.ts';

/** The program with `--on`: on docker 28's BuildKit, on strake's daemon over TCP with certificates, on both at once as nodes, and on an instance that docker buildx has made. */
const enter = peersCommand();
const skip = enter ? false : 'needs docker 28 with buildx: STRAKE_TEST_PEERS names the command that runs them';
let store: TestStore;
let peer: DockerPeer;
let daemon: Daemon;
let context: string;
const at = (name: string): string => join(store.work, name);

before(async () => {
  if (!enter) return;
  store = emptyStore();
  context = at('context');
  mkdirSync(context);
  writeFileSync(join(context, 'a.txt'), 'a\n');
  writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nARG TARGETARCH\nCOPY a.txt /$TARGETARCH/\n');
  certificates();
  const tls = ['--tlscacert', at('ca.pem'), '--tlscert', at('server.pem'), '--tlskey', at('server.key')];
  daemon = await Daemon.start(at('daemon'), ['--addr', 'tcp://127.0.0.1:0', ...tls]);
  peer = await DockerPeer.start(at('docker'), { enter });
});
after(async () => {
  if (!enter) return;
  await daemon?.[Symbol.asyncDispose]();
  await peer?.[Symbol.asyncDispose]();
  store[Symbol.dispose]();
});

/** An authority, and a server's and a client's certificate of it. */
function certificates(): void {
  const run = (...words: string[]): unknown => execFileSync('openssl', words, { cwd: store.work, stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  run('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=ca', '-days', '2');
  writeFileSync(at('names'), 'subjectAltName=IP:127.0.0.1');
  for (const one of ['server', 'client']) {
    run('req', ...key, '-keyout', `${one}.key`, '-out', `${one}.csr`, '-subj', `/CN=${one}`);
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names', '-days', '2'];
    run('x509', '-req', '-in', `${one}.csr`, ...by, '-out', `${one}.pem`);
  }
}

const overTcp = (): string => {
  const found = /running server on (tcp:\/\/127\.0\.0\.1:\d+)/.exec(daemon.log)?.[1];
  assert.ok(found, daemon.log);
  return `buildkit+${found}`;
};
const tlsFlags = (): string[] => [
  '--tls-ca',
  at('ca.pem'),
  '--tls-cert',
  at('client.pem'),
  '--tls-key',
  at('client.key'),
];

async function run(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { code, stdout, stderr } = await strake(words, {
    root: store.root,
    env: { XDG_CONFIG_HOME: at('config'), ...env },
  });
  assert.equal(code, 0, `${words.join(' ')}: ${stderr}${stdout}`);
  return `${stdout}${stderr}`;
}

test(
  'layouts and caches in folders: written and read again, on BuildKit and on strake over TCP',
  { skip },
  async () => {
    await run(['build', context, '-o', `type=oci,dest=${at('here.tar')}`, '-q']);
    for (const [name, on] of [
      ['buildkit', ['--on', peer.on]],
      ['strake', ['--on', overTcp(), ...tlsFlags()]],
    ] as const) {
      const layout = at(`layout-${name}`);
      const cache = at(`cache-${name}`);
      const to = ['-o', `type=oci,tar=false,dest=${layout}`, '--cache-to', `type=local,dest=${cache},mode=max`];
      await run(['build', context, ...on, ...to, '-t', 'app:1']);
      await run(['diff', '--ignore', 'times,layers,history', `oci:${layout}`, `oci-archive:${at('here.tar')}`]);
      assert.match(readFileSync(join(cache, 'index.json'), 'utf8'), /sha256:/);
      const file = at(`on-${name}.Dockerfile`);
      writeFileSync(file, 'FROM laid\nCOPY a.txt /more\n');
      const more = ['--build-context', `laid=oci-layout://${layout}:1`, '--cache-from', `type=local,src=${cache}`];
      const folder = at(`out-${name}`);
      await run(['build', context, ...on, '-f', file, ...more, '-o', folder]);
      assert.equal(readFileSync(join(folder, 'more'), 'utf8'), 'a\n');
      assert.equal(readFileSync(join(folder, 'amd64/a.txt'), 'utf8'), 'a\n');
    }
  },
);

test('two daemons as nodes, each for one platform: one index', { skip }, async () => {
  await using registry = await RegistryServer.listen({
    blobs: new MemoryBlobStore(),
    manifests: new MemoryManifestStore(),
    clock: systemClock,
    random: systemRandom,
  });
  await run(['node', 'add', 'docker', peer.on, '--platform', 'linux/amd64']);
  await run(['node', 'add', 'far', overTcp(), ...tlsFlags(), '--platform', 'linux/386']);
  const listed = await run(['node', 'ls']);
  assert.match(listed, /docker .*ready/);
  assert.match(listed, /far .*ready/);
  const name = `${registry.host}/app:1`;
  const platforms = ['--platform', 'linux/amd64,linux/386'];
  const told = await run([
    'build',
    context,
    '--on',
    'docker,far',
    ...platforms,
    '-t',
    name,
    '--push',
    '--progress=plain',
  ]);
  assert.match(told, /\[docker /);
  assert.match(told, /\[far /);
  const answer = await fetch(`http://${registry.host}/v2/app/manifests/1`, {
    headers: { accept: 'application/vnd.oci.image.index.v1+json' },
  });
  const { manifests } = (await answer.json()) as { manifests: { platform: { architecture: string } }[] };
  assert.deepEqual(
    manifests.map(({ platform }) => platform.architecture),
    ['amd64', '386'],
  );
  await run(['build', context, ...platforms, '-o', `type=oci,dest=${at('both.tar')}`, '-q']);
  await run(['diff', '--ignore', 'times,layers,history', `docker://${name}`, `oci-archive:${at('both.tar')}`]);
  await run(['node', 'rm', 'docker', 'far']);
});

test('an instance that docker buildx has made', { skip }, async () => {
  const create = ['docker', 'buildx', 'create', '--name', 'mine', '--driver', 'remote'];
  const made = await peer.run([...create, `unix://${daemon.socket}`]);
  assert.equal(made.code, 0, made.stderr);
  const folder = at('by-instance');
  await run(['build', context, '--on', 'mine', '-o', folder], { DOCKER_CONFIG: peer.config });
  assert.equal(readFileSync(join(folder, 'amd64/a.txt'), 'utf8'), 'a\n');
});
