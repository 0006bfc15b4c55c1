import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configOfInspect } from './daemon-config.ts';

const layer = (n: number): string => `sha256:${String(n).repeat(64)}`;

test('what a daemon says of an image is its config; what it leaves empty is not in it', () => {
  const config = configOfInspect(
    {
      Id: layer(9),
      Architecture: 'amd64',
      Os: 'linux',
      Variant: '',
      Created: '1980-01-01T00:00:01Z',
      Config: {
        Hostname: 'x',
        User: '1:2',
        Env: ['A=1'],
        Cmd: null,
        Entrypoint: [],
        Labels: { a: 'b' },
        OnBuild: null,
      },
      RootFS: { Layers: [layer(1), layer(2)] },
    },
    [
      { CreatedBy: 'ENV A=1', Size: 0 },
      { CreatedBy: 'second', Size: 7 },
      { CreatedBy: 'first', Size: 5, Comment: 'c' },
    ],
  );
  assert.deepEqual(config, {
    created: '1980-01-01T00:00:01Z',
    architecture: 'amd64',
    os: 'linux',
    config: { User: '1:2', Env: ['A=1'], Labels: { a: 'b' } },
    rootfs: { type: 'layers', diff_ids: [layer(1), layer(2)] },
    history: [{ created_by: 'first', comment: 'c' }, { created_by: 'second' }],
  });
});

test('a history that cannot be matched with layers is left out, one of as many entries is taken whole', () => {
  const of = (sizes: readonly number[], layers: number): unknown =>
    configOfInspect(
      { Id: layer(9), RootFS: { Layers: Array.from({ length: layers }, (_, n) => layer(n)) } },
      sizes.map((Size, at) => ({ CreatedBy: `${at}`, Size })),
    ).history;
  assert.deepEqual(of([0, 5], 2), [{ created_by: '1' }, { created_by: '0' }]);
  assert.deepEqual(of([5, 5, 5], 2), []);
  assert.deepEqual(of([], 1), []);
});
