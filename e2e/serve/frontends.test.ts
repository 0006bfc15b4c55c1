import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemRandom } from '../../src/base/index.ts';
import { openArchive } from '../../src/image/index.ts';
import { buildAppfileFrontend, FRONTEND, SHELL } from '../lib/appfile-frontend.ts';
import { DockerPeer, inPeers, peersCommand } from '../lib/docker-peer.ts';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok, strake, type StrakeResult } from '../lib/strake.ts';
import { dockerRegistry, lacking } from '../registry/world.ts';
import { Daemon } from './client.ts';

/** Frontends that are images: the example's, written in TypeScript, and bad ones. */
let store: TestStore;
let root: string;
let context: string;

before(async () => {
  store = emptyStore();
  // The daemon's store, too.
  root = join(store.work, 'daemon/store');
  mkdirSync(root, { recursive: true });
  context = join(store.work, 'context');
  mkdirSync(join(context, 'public'), { recursive: true });
  writeFileSync(join(context, 'public/index.html'), 'hello\n');
  writeFileSync(join(context, 'Appfile'), appfile(FRONTEND, SHELL));
  await buildAppfileFrontend({ root, work: store.work });
});

after(() => store[Symbol.dispose]());

function appfile(frontend: string, from: string): string {
  return `# syntax=${frontend}
from: ${from}
env: { GREETING: good day }
copy:
  - { src: public, to: /srv/ }
run:
  - echo "$GREETING" > /greeting
  - cat /srv/index.html >> /greeting
workdir: /srv
command: [cat, /greeting]
`;
}

const build = (args: readonly string[], onStart?: (pid: number) => void): Promise<StrakeResult> =>
  strake(['build', '--progress=plain', ...args, context], { root, onStart });

test('an Appfile is built by the frontend that it names, in process and by a daemon', async () => {
  const out = join(store.work, 'out');
  const built = await build(['-f', join(context, 'Appfile'), '-t', 'app', '-o', `type=local,dest=${out}`]);
  assert.equal(built.code, 0, built.stderr);
  assert.equal(readFileSync(join(out, 'greeting'), 'utf8'), 'good day\nhello\n');
  assert.equal(readFileSync(join(out, 'srv/index.html'), 'utf8'), 'hello\n');
  assert.match(built.stderr, /frontend example\.org\/appfile:1/);
  const again = await build(['-f', join(context, 'Appfile'), '-t', 'app']);
  assert.match(again.stderr, /CACHED/);
  const { stdout } = await ok(['inspect', 'app'], { root });
  assert.match(stdout, /"GREETING=good day"/);
  assert.match(stdout, /run cat \/srv\/index\.html/);

  await using daemon = await Daemon.start(join(store.work, 'daemon'));
  const there = join(store.work, 'there');
  const on = ['--on', `buildkit+unix://${daemon.socket}`];
  const remote = await build([...on, '-f', join(context, 'Appfile'), '-o', `type=local,dest=${there}`]);
  assert.equal(remote.code, 0, remote.stderr);
  assert.equal(readFileSync(join(there, 'greeting'), 'utf8'), 'good day\nhello\n');
});

test('several platforms, and what is wrong with the file', async () => {
  const file = join(context, 'Both.yaml');
  writeFileSync(file, `# syntax=${FRONTEND}\ncopy:\n  - { src: public, to: /srv/ }\n`);
  const archive = join(store.work, 'both.tar');
  const built = await build(['-f', file, '--platform=linux/amd64,linux/arm64', '-o', `type=oci,dest=${archive}`]);
  assert.equal(built.code, 0, built.stderr);
  assert.match(built.stderr, /the image says not what is started/);
  using opened = await openArchive(archive, { temp: store.work, random: systemRandom });
  const image = await opened.images[0]?.open();
  assert.equal(image?.kind, 'index');

  writeFileSync(file, `# syntax=${FRONTEND}\nfrom: scratch\nrum: [x]\n`);
  const wrong = await build(['-f', file]);
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.stderr, /read "Both\.yaml": there is no key "rum"/);
  assert.match(wrong.stderr, /Both\.yaml:3/);

  const asked = await strake(['build', '--check', '-f', file, context], { root });
  assert.match(asked.stderr, /unsupported frontend capability moby\.buildkit\.frontend\.subrequests/);
});

test('bad frontends end in an error that says why, and leave nothing', async () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['crash', 'echo no such luck >&2; exit 3', /it ended with exit code 3: no such luck/],
    ['garbage', 'echo "Usage: frontend FILE, and so on"; sleep 60', /it wrote "Usage: frontend/],
    ['silent', 'exit 0', /it ended and returned nothing/],
  ];
  const image = async (name: string, script: string): Promise<string> => {
    const input = `FROM ${SHELL}\nENTRYPOINT ${JSON.stringify(['/bin/sh', '-c', script])}\n`;
    await ok(['build', '-f', '-', '-t', `example.org/${name}`, context], { root, input });
    return `example.org/${name}`;
  };
  const file = join(context, 'Appfile');
  for (const [name, script, words] of cases) {
    const result = await build(['--build-arg', `BUILDKIT_SYNTAX=${await image(name, script)}`, '-f', file]);
    assert.notEqual(result.code, 0, name);
    assert.match(result.stderr, words);
    assert.match(result.stderr, /failed with BUILDKIT_SYNTAX = example\.org/);
  }
  const hangs = await image('hangs', 'echo I hang >&2; sleep 600');
  const hanging = await build(['--build-arg', `BUILDKIT_SYNTAX=${hangs}`, '-f', file], (pid) => {
    setTimeout(() => process.kill(pid, 'SIGINT'), 2500);
  });
  assert.equal(hanging.code, 130, hanging.stderr);
  assert.deepEqual(leftovers(root), []);
});

const enter = peersCommand();
const peers = enter
  ? lacking('docker-registry', 'ip')
  : 'needs docker 28: STRAKE_TEST_PEERS names the command that runs it';

test(
  "the same image is a frontend of docker's BuildKit, and makes the same files",
  { skip: peers ?? false },
  async () => {
    await using docker = await DockerPeer.start(join(store.work, 'peer'), { enter: enter ?? [] });
    mkdirSync(join(store.work, 'registry'));
    await using registry = await dockerRegistry(join(store.work, 'registry'));
    const named = (name: string): string => `${registry.host}/${name}:1`;
    await ok(['push', FRONTEND, named('appfile')], { root });
    await ok(['push', SHELL, named('shell')], { root });
    const file = join(context, 'Pushed.yaml');
    writeFileSync(file, appfile(named('appfile'), named('shell')));
    const [here, there] = [join(store.work, 'here'), join(store.work, 'docker')];
    const built = await build(['-f', file, '-o', `type=local,dest=${here}`]);
    assert.equal(built.code, 0, built.stderr);
    const words = ['-f', inPeers(file), '-o', `type=local,dest=${inPeers(there)}`, inPeers(context)];
    const said = await docker.run(['docker', 'buildx', 'build', '--progress=plain', ...words]);
    assert.equal(said.code, 0, said.stderr);
    assert.equal(readFileSync(join(there, 'greeting'), 'utf8'), 'good day\nhello\n');
    const compared = await strake(['diff', '--ignore', 'times', `dir:${here}`, `dir:${there}`], { root });
    assert.equal(compared.code, 0, compared.stdout);
  },
);
