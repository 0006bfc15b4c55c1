import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Op } from '../../graph/index.ts';
import { imageConfig, planText, type Planned } from './fake-host.suite.ts';

const TEXT = [
  'FROM --platform=$BUILDPLATFORM debian AS build',
  'ARG TARGETARCH',
  'RUN cross $TARGETARCH',
  'FROM debian',
  'COPY --from=build /x /x',
  'RUN there',
].join('\n');

const platformOf = (op: Op | undefined): string | undefined =>
  op?.kind === 'exec' ? op.platform.architecture : undefined;
const several = (text: string, platforms: string): Promise<Planned> =>
  planText(text, { options: { platform: platforms } });

test('each platform has a result of its own', async () => {
  const { plan } = await several(TEXT, 'linux/amd64,linux/arm64,linux/arm/v7');
  assert.deepEqual([...plan.results.keys()], ['linux/amd64', 'linux/arm64', 'linux/arm/v7']);
  for (const [key, image] of plan.results) {
    const { os, architecture, variant } = image.config;
    assert.equal([os, architecture, ...(variant === undefined ? [] : [variant])].join('/'), key);
    assert.equal(platformOf(image.root.edge?.vertex.op), architecture);
  }
  assert.ok(plan.metadata.has('multi.platform'));
});

test('FROM --platform=$BUILDPLATFORM stays native, and knows what it builds for', async () => {
  const { plan } = await several(TEXT, 'linux/amd64,linux/arm64');
  const cross = [...plan.results.values()].map(({ root }) => root.edge?.vertex.inputs[0]?.vertex.inputs[1]?.vertex);
  assert.deepEqual(
    cross.map((vertex) => vertex?.label.name),
    ['[linux/amd64 build 2/2] RUN cross amd64', '[linux/amd64->arm64 build 2/2] RUN cross arm64'],
  );
  assert.deepEqual(
    cross.map((vertex) => platformOf(vertex?.op)),
    ['amd64', 'amd64'],
  );
  assert.notEqual(cross[0]?.digest, cross[1]?.digest);
});

test('labels of one platform have no prefix, unless an index is asked for', async () => {
  const name = async (options: Readonly<Record<string, string>>): Promise<string | undefined> =>
    (await planText('FROM debian\nRUN x', { options })).image.root.edge?.vertex.label.name;
  assert.equal(await name({ platform: 'linux/arm64' }), '[2/2] RUN x');
  assert.equal(await name({ platform: 'linux/arm64', 'multi-platform': 'true' }), '[linux/arm64 2/2] RUN x');
  assert.equal(await name({ 'build-arg:BUILDKIT_MULTI_PLATFORM': '1' }), '[linux/amd64 2/2] RUN x');
});

test('one result cannot hold several platforms', async () => {
  await assert.rejects(
    planText('FROM debian', { options: { platform: 'linux/amd64,linux/arm64', 'multi-platform': 'false' } }),
    { code: 'DOCKERFILE_OPTION', message: /conflicting config/ },
  );
});

test('remarks about the text are made once for all platforms, those about a base for each', async () => {
  const { host } = await several('FROM debian as x\nRUN $a\nENV b=$c', 'linux/amd64,linux/arm64');
  assert.deepEqual(
    host.warnings.map(({ code }) => code),
    ['FromAsCasing', 'UndefinedVar', 'InvalidBaseImagePlatform'],
  );
});

test('the same base is named by its platform', async () => {
  const { host } = await planText('FROM debian', {
    options: { platform: 'linux/amd64,linux/arm64' },
    world: { images: { 'docker.io/library/debian:latest': imageConfig() } },
  });
  assert.deepEqual(
    host.resolved.map(({ source }) => 'platform' in source && source.platform.architecture),
    ['amd64', 'arm64'],
  );
});
