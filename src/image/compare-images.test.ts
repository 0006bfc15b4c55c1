import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareImages, compareValues, type ImageFacts } from './compare-images.ts';

const facts = (config: Partial<ImageFacts['config']>, more: Partial<ImageFacts> = {}): ImageFacts => ({
  config: { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] }, ...config },
  ...more,
});

test('what differs is named by its place', () => {
  const a = facts({
    created: '2001-01-01T00:00:00Z',
    config: { Env: ['A=1', 'B=2'], Cmd: ['x'], Labels: { 'a.b': '1' } },
    history: [{ created_by: 'one' }, { created_by: 'two', empty_layer: true }],
    rootfs: { type: 'layers', diff_ids: ['sha256:aa'] },
  });
  const b = facts({
    created: '2002-01-01T00:00:00Z',
    config: { Env: ['A=1', 'B=3', 'C='], Cmd: ['x', 'y'] },
    history: [{ created_by: 'one' }, { created_by: 'two' }, { created_by: 'three' }],
    rootfs: { type: 'layers', diff_ids: ['sha256:bb'] },
  });
  const found = compareImages(a, b).map(({ part, at, a, b }) => [part, at, a, b]);
  assert.deepEqual(found, [
    ['config', 'config.Cmd[1]', undefined, 'y'],
    ['config', 'config.Env.B', '2', '3'],
    ['config', 'config.Env.C', undefined, ''],
    ['config', 'config.Labels', { 'a.b': '1' }, undefined],
    ['config', 'config.order of Env', 'A B', 'A B C'],
    ['config', 'created', '2001-01-01T00:00:00Z', '2002-01-01T00:00:00Z'],
    ['history', 'history[1].empty_layer', true, undefined],
    ['history', 'history[2]', undefined, { created_by: 'three' }],
    ['layers', 'layers[0]', 'sha256:aa', 'sha256:bb'],
  ]);
  assert.deepEqual(
    compareImages(a, b, { parts: new Set(['config']), times: false }).map(({ at }) => at),
    ['config.Cmd[1]', 'config.Env.B', 'config.Env.C', 'config.Labels', 'config.order of Env'],
  );
});

test('the same tar compressed otherwise is a difference of its own; annotations count where both have a manifest', () => {
  const layer = { mediaType: 'gzip', digest: 'sha256:cc', size: 1 } as const;
  const rootfs = { type: 'layers', diff_ids: ['sha256:aa'] } as const;
  const a = facts({ rootfs }, { manifest: { mediaType: 'm', layers: [layer] }, annotations: { x: '1' } });
  const b = facts({ rootfs }, { manifest: { mediaType: 'm', layers: [{ ...layer, digest: 'sha256:dd' }] } });
  assert.deepEqual(
    compareImages(a, b).map(({ at }) => at),
    ['layers[0].compressed', 'x'],
  );
  assert.deepEqual(compareImages(a, facts({ rootfs })), []);
});

test('null and absent are one', () => {
  assert.deepEqual([...compareValues({ a: null, b: [] }, { b: [] }, '')], []);
});
