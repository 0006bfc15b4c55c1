import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kindOf, type CodedError } from '../../base/index.ts';
import { registryOf } from '../../registry/testing/world.ts';
import { EngineRig, type Built } from '../engine-rig.suite.ts';
import { daemonSockets } from '../index.ts';
import { FakeDaemon } from './fake-daemon.suite.ts';

const FILES = { Dockerfile: 'FROM scratch\nCOPY a /a\nRUN write /b b\n', a: 'a' };
const MORE = { ...FILES, Dockerfile: `${FILES.Dockerfile}RUN write /c c\n` };

const blobsIn = (archive: readonly string[] | undefined): number =>
  archive?.filter((name) => name.startsWith('blobs/')).length ?? 0;

const notesOf = ({ events }: Built): string[] => events.flatMap((event) => (event.kind === 'note' ? [event.text] : []));

test('only the layers that Docker lacks travel to it', async () => {
  await using daemon = await FakeDaemon.listen('chains');
  await using rig = await EngineRig.open();
  const exports = [{ type: 'docker-daemon', names: ['x:1'], socket: daemon.socket }] as const;
  const first = await rig.build(FILES, { exports });
  assert.equal(first.error, undefined);
  const second = await rig.build(MORE, { exports });
  assert.equal(second.error, undefined);
  assert.deepEqual([...daemon.images.keys()], [first.id, second.id]);
  assert.deepEqual(daemon.images.get(second.id as `sha256:${string}`)?.tags, ['x:1']);
  // Config, manifest and layers: two, then the new one of three.
  assert.deepEqual(daemon.archives.map(blobsIn), [4, 3]);
  assert.ok(notesOf(second).includes('2 of 3 layers were there already'));
});

test('a daemon that needs them all gets them all', async () => {
  await using daemon = await FakeDaemon.listen('blobs');
  await using rig = await EngineRig.open();
  const exports = [{ type: 'docker-daemon', names: [], socket: daemon.socket }] as const;
  assert.equal((await rig.build(FILES, { exports })).error, undefined);
  const second = await rig.build(MORE, { exports });
  assert.equal(second.error, undefined);
  assert.deepEqual(daemon.archives.map(blobsIn), [4, 3, 5]);
  assert.ok(daemon.images.has(second.id as `sha256:${string}`));
});

test('layers of a base that Docker has are not even fetched from their registry', async () => {
  await using daemon = await FakeDaemon.listen('chains');
  await using registry = await registryOf();
  const name = `${registry.server.host}/base:1`;
  const host = { credentials: async () => undefined };
  {
    await using maker = await EngineRig.open();
    const exports = [
      { type: 'docker-daemon', names: ['base'], socket: daemon.socket },
      { type: 'registry', names: [name] },
    ] as const;
    assert.equal((await maker.build(FILES, { exports })).error, undefined);
  }
  await using rig = await EngineRig.open();
  const pulled = await rig.engine.images.pull(name, { host });
  for (const { compressed } of pulled.layers) if (compressed) await registry.blobs.delete(compressed.digest);
  await using fresh = await EngineRig.open();
  const exports = [{ type: 'docker-daemon', names: ['top'], socket: daemon.socket }] as const;
  const built = await fresh.build({ Dockerfile: `FROM ${name}\nENV A=1\n` }, { exports });
  assert.equal(built.error, undefined);
  assert.ok(daemon.images.has(built.id as `sha256:${string}`));
});

test('what the daemon says is wrong is said, and a socket that nobody listens on is unreachable', async () => {
  await using daemon = await FakeDaemon.listen('chains');
  await using rig = await EngineRig.open();
  const exports = [{ type: 'docker-daemon', names: [], socket: daemon.socket }] as const;
  daemon.refusal = { status: 500, body: '{"message":"no space left on device"}' };
  const refused = await rig.build(FILES, { exports });
  assert.equal((refused.error as CodedError).code, 'DAEMON_REFUSED');
  assert.match((refused.error as CodedError).message, /no space left on device/);
  const nobody = [{ type: 'docker-daemon', names: [], socket: rig.path('none.sock') }] as const;
  assert.equal(kindOf((await rig.build(FILES, { exports: nobody })).error), 'unavailable');
});

test('sockets are looked for where DOCKER_HOST says, then in the usual places', () => {
  assert.equal(daemonSockets({ DOCKER_HOST: 'unix:///x.sock' })[0], '/x.sock');
  assert.deepEqual(daemonSockets({ XDG_RUNTIME_DIR: '/run/user/7' }), [
    '/var/run/docker.sock',
    '/run/user/7/docker.sock',
    '/run/user/7/podman/podman.sock',
    '/run/podman/podman.sock',
  ]);
});
