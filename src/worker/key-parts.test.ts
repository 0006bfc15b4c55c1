import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../blob/index.ts';
import { vertex, type ExecOp, type VertexLabel } from '../graph/index.ts';
import { execParts } from './key-parts.ts';

const OP: ExecOp = {
  kind: 'exec',
  args: ['/bin/sh', '-c', 'make'],
  env: ['PATH=/bin', 'A_TOKEN=abc', 'EMPTY'],
  cwd: '/src',
  user: '',
  mounts: [{ type: 'bind', target: '/', input: 0, readonly: false, output: 0 }],
  network: 'none',
  security: 'sandbox',
  platform: { os: 'linux', architecture: 'amd64' },
};

function parts(label: Partial<VertexLabel> = {}) {
  return execParts(OP, vertex(OP, [], { name: 'step', ...label }));
}

test('variables by who set them, the command as what follows from the text, every setting by its name', () => {
  const variables = [
    { name: 'V', value: '1', from: 'ARG' },
    { name: 'PASSWORD', value: 'hunter2', from: 'ENV' },
    { name: 'LONG', value: 'x'.repeat(500), from: 'ENV' },
  ] as const;
  const [version, password, long, command, ...settings] = parts({ variables });
  assert.deepEqual(version, { name: 'V', digest: digestOf('1'), variable: 'ARG', value: '1' });
  assert.deepEqual(password, { name: 'PASSWORD', digest: digestOf('hunter2'), variable: 'ENV' });
  assert.deepEqual([long?.digest, long?.value?.length], [digestOf('x'.repeat(500)), 120]);
  assert.deepEqual([command?.name, command?.derived, command?.value], ['command', true, undefined]);
  assert.deepEqual(
    settings.map(({ name, value }) => [name, value]),
    [
      ['folder', '/src'],
      ['user', ''],
      ['mounts', '[{"input":0,"output":0,"readonly":false,"target":"/","type":"bind"}]'],
      ['network', 'none'],
      ['security', 'sandbox'],
      ['platform', '{"architecture":"amd64","os":"linux"}'],
    ],
  );
});

test('of a graph that names no variables those of the process', () => {
  assert.deepEqual(
    parts()
      .filter(({ variable }) => variable !== undefined)
      .map(({ name, value }) => [name, value]),
    [
      ['PATH', '/bin'],
      ['A_TOKEN', undefined],
      ['EMPTY', ''],
    ],
  );
});
