import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageConfig, RunConfig } from '../image/index.ts';
import { withExecEnv } from './exec-env.ts';

const image = (config: RunConfig): ImageConfig => ({
  architecture: 'amd64',
  os: 'linux',
  config,
  rootfs: { type: 'layers', diff_ids: [] },
});
const LABEL = 'io.buildpacks.exec-env';

test('an app image for tests is told so; what it or nobody says stays', () => {
  assert.deepEqual(withExecEnv(image({ Labels: { [LABEL]: 'test' }, Env: ['A=b'] })).config?.Env, [
    'A=b',
    'CNB_EXEC_ENV=test',
  ]);
  for (const config of [
    {},
    { Labels: { [LABEL]: 'production' } },
    { Labels: { [LABEL]: 'a b' } },
    { Labels: { [LABEL]: 'test' }, Env: ['CNB_EXEC_ENV=other'] },
  ])
    assert.deepEqual(withExecEnv(image(config)), image(config));
});
