import assert from 'node:assert/strict';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemRandom, tempFolder } from '../../../base/index.ts';
import { parseEndpoint } from './endpoint.ts';
import { findEndpoints } from './find-endpoints.ts';
import { nodesPath, readNodes, writeNodes } from './nodes.ts';

test('addresses and names', () => {
  const read = (text: string, env = {}) => parseEndpoint(text, { env })?.place;
  assert.deepEqual(read('buildkit+unix:///run/b.sock'), { kind: 'buildkit', address: 'unix:///run/b.sock' });
  assert.deepEqual(read('strake+tcp://h:1'), { kind: 'buildkit', address: 'tcp://h:1' });
  assert.deepEqual(read('docker://'), { kind: 'docker', address: 'unix:///var/run/docker.sock' });
  assert.deepEqual(read('docker://', { DOCKER_HOST: 'tcp://d:2' }), { kind: 'docker', address: 'tcp://d:2' });
  assert.deepEqual(read('docker+unix:///d.sock'), { kind: 'docker', address: 'unix:///d.sock' });
  assert.equal(read('arm-1'), undefined);
  for (const bad of ['http://x:1', 'buildkit+http://x', 'other+unix:///x'])
    assert.throws(() => read(bad), { code: 'USAGE' }, bad);
});

test('named nodes and instances of docker buildx', () => {
  using folder = tempFolder(tmpdir(), systemRandom);
  const io = { env: { XDG_CONFIG_HOME: join(folder.path, 'config') }, home: folder.path, random: systemRandom };
  assert.deepEqual(readNodes(io), []);
  const tls = { ca: '/ca.pem', cert: undefined, key: undefined, serverName: 'b' };
  writeNodes(io, [{ name: 'arm', address: 'buildkit+tcp://a:1', platforms: ['linux/arm64'], tls }]);
  assert.equal(statSync(nodesPath(io)).mode & 0o777, 0o600);
  const instances = join(folder.path, '.docker/buildx/instances');
  mkdirSync(instances, { recursive: true });
  writeFileSync(
    join(instances, 'two'),
    JSON.stringify({
      Name: 'two',
      Driver: 'remote',
      Nodes: [
        { Name: 'two0', Endpoint: 'unix:///b.sock', Platforms: null },
        {
          Name: 'two1',
          Endpoint: 'tcp://b:2',
          Platforms: [{ architecture: 'arm64', os: 'linux' }],
          DriverOpts: { cacert: '/x.pem' },
        },
      ],
    }),
  );
  writeFileSync(
    join(instances, 'contained'),
    JSON.stringify({ Driver: 'docker-container', Nodes: [{ Name: 'c0', Endpoint: 'default' }] }),
  );
  writeFileSync(join(instances, 'k8s'), JSON.stringify({ Driver: 'kubernetes', Nodes: [{ Name: 'k0' }] }));

  const found = findEndpoints('arm,two', { io });
  assert.deepEqual(
    found.map(({ name, place, tls: files, platforms }) => [name, place, files?.ca, platforms.length]),
    [
      ['arm', { kind: 'buildkit', address: 'tcp://a:1' }, '/ca.pem', 1],
      ['two/two0', { kind: 'buildkit', address: 'unix:///b.sock' }, undefined, 0],
      ['two/two1', { kind: 'buildkit', address: 'tcp://b:2' }, '/x.pem', 1],
    ],
  );
  assert.deepEqual(findEndpoints('contained', { io })[0]?.place, {
    kind: 'container',
    container: 'buildx_buildkit_c0',
    docker: 'unix:///var/run/docker.sock',
  });
  assert.throws(() => findEndpoints('k8s', { io }), { code: 'NODE_UNSUPPORTED' });
  assert.throws(() => findEndpoints('two2', { io }), { code: 'NODE_UNKNOWN', remedy: 'Did you mean "two"?' });
  assert.throws(() => findEndpoints('../x', { io }), { code: 'NODE_UNKNOWN' });
});
