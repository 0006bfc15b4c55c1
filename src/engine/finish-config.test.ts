import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scratch } from '../graph/index.ts';
import type { History } from '../image/index.ts';
import { finishConfig, formatTime } from './finish-config.ts';

const image = (history: History[], baseHistory: number) => ({
  platform: { os: 'linux', architecture: 'amd64' },
  layers: [],
  root: scratch,
  config: { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers' as const, diff_ids: [] }, history },
  baseHistory,
  attestations: [],
});

test('formatTime() prints as Go does', () => {
  assert.equal(formatTime(1_700_000_000_000), '2023-11-14T22:13:20Z');
  assert.equal(formatTime(1_700_000_000_120), '2023-11-14T22:13:20.12Z');
});

test('new layers bring their time, entries without a layer take that of the first new layer or the one before', () => {
  const base = '2020-01-01T00:00:00Z';
  const history = [
    { created: base },
    { created_by: 'ENV', empty_layer: true },
    { created_by: 'RUN' },
    { created_by: 'CMD', empty_layer: true },
  ];
  const config = finishConfig(image(history, 1), {
    diffIds: ['sha256:a', 'sha256:b'],
    layerTimes: [undefined, 1_700_000_000_000],
  });
  const time = '2023-11-14T22:13:20Z';
  assert.deepEqual(
    config.history?.map((entry) => entry.created),
    [base, time, time, time],
  );
  assert.equal(config.created, time);
  assert.deepEqual(config.rootfs.diff_ids, ['sha256:a', 'sha256:b']);
});

test('an epoch clamps what is new and leaves the base alone', () => {
  const base = '2020-01-01T00:00:00Z';
  const history = [{ created: base }, { created_by: 'RUN' }, { created_by: 'CMD', empty_layer: true }];
  const config = finishConfig(image(history, 1), {
    diffIds: [],
    layerTimes: [undefined, 1_700_000_000_000],
    epoch: 1_600_000_000,
  });
  assert.deepEqual(
    config.history?.map((entry) => entry.created),
    [base, '2020-09-13T12:26:40Z', '2020-09-13T12:26:40Z'],
  );
  assert.equal(config.created, '2020-09-13T12:26:40Z');
});

test('an image from nothing with metadata only has the epoch as its time, or none', () => {
  const history = [{ created_by: 'CMD', empty_layer: true }];
  assert.equal(
    finishConfig(image(history, 0), { diffIds: [], layerTimes: [], epoch: 0 }).created,
    '1970-01-01T00:00:00Z',
  );
  assert.equal(finishConfig(image(history, 0), { diffIds: [], layerTimes: [] }).created, undefined);
});

test('a base that tells of no history gets an entry for each layer, one that tells of too much is not believed', () => {
  const made = 1_700_000_000_000;
  const times = [undefined, undefined, made];
  const diffIds = ['sha256:a', 'sha256:b', 'sha256:c'] as const;
  const short = finishConfig(image([{ created_by: 'RUN' }], 0), { diffIds, layerTimes: times });
  assert.deepEqual(
    short.history?.map(({ created_by, comment }) => [created_by, comment]),
    [
      ['RUN', undefined],
      [undefined, 'buildkit.exporter.image.v0'],
      [undefined, 'buildkit.exporter.image.v0'],
    ],
  );
  assert.equal(short.created, '2023-11-14T22:13:20Z');
  const long = finishConfig(image([{ created_by: 'a' }, { created_by: 'b' }, { created_by: 'RUN' }], 2), {
    diffIds: ['sha256:a'],
    layerTimes: [made],
  });
  assert.deepEqual(
    long.history?.map((entry) => entry.empty_layer),
    [undefined, true, true],
  );
});
