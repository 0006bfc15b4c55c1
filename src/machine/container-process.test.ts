import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../base/index.ts';
import type { RunConfig } from '../image/index.ts';
import { commandOf, containerProcess, environmentOf, userOf, volumesOf } from './container-process.ts';

const both: RunConfig = { Entrypoint: ['entry', '-a'], Cmd: ['cmd', '-b'] };
const id = { id: 'abcdef012345', user: { uid: 1, gid: 2, additionalGids: [3] }, ports: undefined };

test('ENTRYPOINT and CMD, and what takes their places', () => {
  assert.deepEqual(commandOf(both, {}), ['entry', '-a', 'cmd', '-b']);
  assert.deepEqual(commandOf(both, { command: ['x', 'y'] }), ['entry', '-a', 'x', 'y']);
  assert.deepEqual(commandOf(both, { entrypoint: 'other' }), ['other']);
  assert.deepEqual(commandOf(both, { entrypoint: 'other', command: ['x'] }), ['other', 'x']);
  assert.deepEqual(commandOf(both, { entrypoint: '', command: ['x'] }), ['x']);
  assert.deepEqual(commandOf({ Cmd: ['cmd'], Entrypoint: null }, {}), ['cmd']);
  const nothing = (error: unknown): boolean => hasCode(error, 'COMMAND_MISSING');
  assert.throws(() => commandOf(both, { entrypoint: '' }), nothing);
  assert.throws(() => commandOf({}, {}), nothing);
});

test('variables: ours, the image’s, those given, each once', () => {
  const hostname = 'here';
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  assert.deepEqual(environmentOf({}, { hostname }), [path, 'HOSTNAME=here']);
  const config = { Env: ['PATH=/own', 'A=1', 'B=2=3'] };
  const terminal = { columns: 1, rows: 1 };
  assert.deepEqual(environmentOf(config, { hostname, terminal, env: ['A=over', 'C=', 'A=last'] }), [
    'PATH=/own',
    'HOSTNAME=here',
    'TERM=xterm',
    'A=last',
    'B=2=3',
    'C=',
  ]);
});

test('volumes: the image’s and more, but where something else is mounted', () => {
  const config = { Volumes: { '/data/': {}, '/logs': {}, rel: {} } };
  const mounts = [{ type: 'bind', source: '/x', target: '/logs', readonly: false }] as const;
  assert.deepEqual(volumesOf(config, { mounts, volumes: ['/data', '/more'] }), [
    { type: 'own', target: '/data' },
    { type: 'own', target: '/rel' },
    { type: 'own', target: '/more' },
  ]);
});

test('a process has the image’s settings and those given', () => {
  const config: RunConfig = { ...both, User: 'web', WorkingDir: 'srv', Volumes: { '/a/b': {} } };
  const plain = containerProcess(config, {}, id);
  assert.deepEqual(
    [plain.cwd, plain.hostname, plain.network, plain.security, plain.user.uid, 'ports' in plain],
    ['/srv', 'abcdef012345', 'default', 'sandbox', 1, false],
  );
  const ports = [{ protocol: 'tcp', hostPort: 1, port: 2 }] as const;
  const mounts = [{ type: 'tmpfs', target: '/a' }] as const;
  const own = containerProcess(config, { workdir: '/w', hostname: 'h', network: 'none', mounts }, { ...id, ports });
  assert.deepEqual([own.cwd, own.hostname, own.network, own.ports], ['/w', 'h', 'none', ports]);
  assert.deepEqual(
    own.mounts.map(({ target }) => target),
    ['/a', '/a/b'],
    'what is mounted on something comes after it',
  );
  assert.throws(
    () => containerProcess(config, { workdir: 'rel' }, id),
    (error) => hasCode(error, 'RUN_INVALID'),
  );
  assert.equal(userOf(config, {}), 'web');
  assert.equal(userOf(config, { user: '5:6' }), '5:6');
  assert.equal(userOf({}, {}), '');
});
