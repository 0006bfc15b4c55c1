import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageConfig, RunConfig } from '../image/index.ts';
import { withAppPort } from './app-port.ts';

const image = (config: RunConfig): ImageConfig => ({
  architecture: 'amd64',
  os: 'linux',
  config,
  rootfs: { type: 'layers', diff_ids: [] },
});
const APP: RunConfig = {
  Labels: { 'io.buildpacks.build.metadata': '{}' },
  Entrypoint: ['/cnb/process/web'],
  Env: ['A=b'],
};

test('the web process of an app image has a port', () => {
  const { config } = withAppPort(image(APP));
  assert.deepEqual(config?.ExposedPorts, { '8080/tcp': {} });
  assert.deepEqual(config?.Env, ['A=b', 'PORT=8080']);
  assert.deepEqual(withAppPort(image(APP), ['PORT=3000']).config?.ExposedPorts, { '3000/tcp': {} });
  assert.deepEqual(withAppPort(image(APP), ['PORT=3000']).config?.Env, ['A=b']);
});

test('another image, another process, what exposes a port or none that is one: as they are', () => {
  for (const config of [
    { ...APP, Labels: {} },
    { ...APP, Entrypoint: ['/cnb/process/task'] },
    { ...APP, ExposedPorts: { '1/tcp': {} } },
    { ...APP, Env: ['PORT=/a/socket'] },
  ])
    assert.deepEqual(withAppPort(image(config)), image(config));
});
