import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../blob/index.ts';
import { sourceState, type LocalSource, type Vertex } from '../../graph/index.ts';
import { amd64, chain, history, imageConfig, planText, type Planned } from './fake-host.suite.ts';

const images = (...names: readonly string[]): Record<string, object> =>
  Object.fromEntries(names.map((name) => [`docker.io/library/${name}`, imageConfig({ Labels: { from: name } })]));
const resolved = ({ host }: Planned): readonly string[] =>
  host.resolved.map(({ source }) => ('reference' in source ? source.reference : source.type)).sort();

/** All vertices below the result. */
function vertices({ image }: Planned): readonly Vertex[] {
  const found = new Map<string, Vertex>();
  const queue = [image.root.edge?.vertex];
  for (let vertex = queue.pop(); vertex !== undefined; vertex = queue.pop()) {
    found.set(vertex.digest, vertex);
    queue.push(...vertex.inputs.map((input) => input.vertex));
  }
  return [...found.values()];
}

test('only what the target needs is resolved and converted', async () => {
  const text = 'FROM a AS x\nRUN 1\nFROM b AS y\nRUN 2\nFROM c AS z\nCOPY --from=x /1 /1\nFROM d\nRUN 3';
  const world = { images: images('a:latest', 'b:latest', 'c:latest', 'd:latest') };
  const one = await planText(text, { world, options: { target: 'z' } });
  assert.deepEqual(resolved(one), ['docker.io/library/a:latest', 'docker.io/library/c:latest']);
  assert.ok(!vertices(one).some(({ label }) => label.name.includes('RUN 2')));
  assert.deepEqual(resolved(await planText(text, { world })), ['docker.io/library/d:latest']);
});

test('the target is a name in any case, or a number; the last stage by default', async () => {
  const text = 'FROM scratch AS One\nLABEL n=1\nFROM scratch AS two\nLABEL n=2\nFROM scratch\nLABEL n=3';
  const label = async (target: string): Promise<unknown> =>
    (await planText(text, { options: { target } })).image.config.config?.Labels;
  assert.deepEqual(await label('ONE'), { n: '1' });
  assert.deepEqual(await label('1'), { n: '2' });
  assert.deepEqual(await label(''), { n: '3' });
});

test('FROM means a stage in any case, where it can be no image', async () => {
  const { image, host } = await planText('FROM scratch AS Base_1\nCOPY a /a\nFROM BASE_1\nCOPY b /b');
  assert.equal(image.layers.length, 2);
  assert.deepEqual(host.resolved, []);
  await assert.rejects(planText('FROM scratch AS a\nFROM A:1'), { code: 'DOCKERFILE_BASE_NAME' });
});

test('stages are copied from by name in any case, by number, or as an image', async () => {
  const text =
    'FROM scratch AS Base\nCOPY a /a\nFROM scratch\nCOPY --from=bASE /a /1\nCOPY --from=0 /a /2\nCOPY --from=busybox /a /3';
  const planned = await planText(text, { world: { images: images('busybox:latest') } });
  const [one, two, three] = chain(planned.image.root);
  const inputs = vertices(planned)
    .filter(({ label }) => /--from/.test(label.name))
    .map(({ inputs: [, from] }) => from?.vertex.label.name);
  assert.equal(inputs.filter((name) => name === '[base 1/1] COPY a /a').length, 2);
  assert.match(
    inputs.find((name) => name?.startsWith('FROM')) ?? '',
    /^FROM docker\.io\/library\/busybox:latest@sha256:/,
  );
  assert.deepEqual([one?.name, two?.name, three?.name].length, 3);
});

test('independent stages share nothing but their base', async () => {
  const planned = await planText(
    'FROM debian AS a\nRUN 1\nFROM debian AS b\nRUN 2\nFROM scratch\nCOPY --from=a /x /x\nCOPY --from=b /y /y',
  );
  const one = vertices(planned).find(({ label }) => label.name.endsWith('RUN 1'));
  const two = vertices(planned).find(({ label }) => label.name.endsWith('RUN 2'));
  assert.equal(one?.inputs[0]?.vertex.digest, two?.inputs[0]?.vertex.digest);
  assert.equal(one?.inputs.length, 1);
});

test('a stage inherits tree, config, variables and ARGs of the stage it is built on', async () => {
  const text =
    'FROM debian AS a\nARG X=1\nENV Y=2 X=env\nWORKDIR /w\nUSER u\nCMD ["c"]\nFROM a\nENTRYPOINT ["e"]\nRUN x';
  const planned = await planText(text);
  const config = planned.image.config.config;
  assert.deepEqual(config?.Env, ['PATH=/usr/bin:/bin', 'Y=2', 'X=env']);
  assert.equal(config?.WorkingDir, '/w');
  assert.equal(config?.User, 'u');
  assert.equal(config?.Cmd, undefined);
  assert.equal(history(planned).at(-1), 'RUN |1 X=env /bin/sh -c x # buildkit');
  assert.deepEqual(
    planned.image.layers.map(({ kind }) => kind),
    ['base', 'step', 'step'],
  );
  assert.equal(planned.image.baseHistory, 2);
});

test('global ARGs reach FROM lines, and a stage only by ARG', async () => {
  const text = 'ARG I=debian T=latest\nARG F=$I:$T\nFROM $F\nARG T\nENV A=$T B=$I';
  const planned = await planText(text);
  assert.deepEqual(resolved(planned), ['docker.io/library/debian:latest']);
  assert.deepEqual(planned.image.config.config?.Env, ['PATH=/usr/bin:/bin', 'A=latest', 'B=']);
  const other = await planText(text, { options: { 'build-arg:T': '9' }, world: { images: images('debian:9') } });
  assert.deepEqual(resolved(other), ['docker.io/library/debian:9']);
});

test('ARG and ENV: the later one counts for steps, the config keeps ENV', async () => {
  const env = async (text: string, options = {}): Promise<readonly string[]> => {
    const planned = await planText(`FROM debian\n${text}\nRUN x`, { options });
    const op = planned.image.root.edge?.vertex.op;
    return op?.kind === 'exec' ? op.env.slice(1) : [];
  };
  assert.deepEqual(await env('ARG A=1\nENV A=2'), ['A=2']);
  assert.deepEqual(await env('ENV A=2\nARG A=1'), ['A=1']);
  assert.deepEqual(await env('ENV A=2\nARG A'), ['A=2']);
  assert.deepEqual(await env('ENV A=2\nARG A', { 'build-arg:A': '3' }), ['A=3']);
  assert.deepEqual(await env('ARG A=1', { 'build-arg:A': '' }), ['A=']);
  assert.deepEqual(await env('ARG A=1 B=$A'), ['A=1', 'B=1']);
  assert.deepEqual(await env('ENV A=1\nENV A=2 B=$A'), ['A=2', 'B=1']);
  const kept = await planText('FROM debian\nENV A=2\nARG A=1');
  assert.ok(kept.image.config.config?.Env?.includes('A=2'));
  const child = await planText('FROM debian AS p\nENV A=2\nARG A=1\nFROM p\nRUN x');
  const op = child.image.root.edge?.vertex.op;
  assert.ok(op?.kind === 'exec' && op.env.includes('A=2'), 'a child starts with the image of its parent');
});

test('platform arguments are global', async () => {
  const text =
    'FROM debian AS last\nARG BUILDPLATFORM BUILDOS BUILDARCH TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT TARGETSTAGE\nENV A="$BUILDPLATFORM $BUILDOS $BUILDARCH $TARGETPLATFORM $TARGETOS $TARGETARCH ($TARGETVARIANT) $TARGETSTAGE"';
  const value = async (o: Parameters<typeof planText>[1]): Promise<string | undefined> =>
    (await planText(text, o)).image.config.config?.Env?.at(-1);
  assert.equal(await value({}), 'A=linux/amd64 linux amd64 linux/amd64 linux amd64 () last');
  assert.equal(
    await value({ options: { platform: 'linux/arm/v7', 'build-arg:TARGETOS': 'mine' } }),
    'A=linux/amd64 linux amd64 linux/arm/v7 mine arm (v7) last',
  );
  const unnamed = await planText('FROM debian\nARG TARGETSTAGE\nENV A=$TARGETSTAGE');
  assert.equal(unnamed.image.config.config?.Env?.at(-1), 'A=default');
});

test('FROM --platform is expanded and decides what is pulled', async () => {
  const planned = await planText(
    'FROM --platform=$BUILDPLATFORM debian AS b\nRUN x\nFROM --platform=linux/arm64 debian\nCOPY --from=b /a /a',
    {
      platforms: [{ os: 'linux', architecture: 's390x' }],
    },
  );
  assert.deepEqual(
    planned.host.resolved.map(({ source }) => ('platform' in source ? source.platform.architecture : '')).sort(),
    ['amd64', 'arm64'],
  );
  assert.equal(planned.image.config.architecture, 's390x');
  assert.deepEqual([...planned.plan.results.keys()], ['linux/s390x']);
});

test('where nobody asked for a platform, the image says what it is', async () => {
  const arm = { 'docker.io/library/arm:latest': imageConfig({}, { architecture: 'arm64', variant: 'v8' }) };
  const planned = await planText('FROM arm\nRUN x', { platforms: [], world: { images: arm } });
  assert.equal(planned.image.config.architecture, 'arm64');
});

test('image-resolve-mode says whether to ask the registry', async () => {
  for (const [mode, pull] of [
    ['', 'missing'],
    ['default', 'missing'],
    ['local', 'missing'],
    ['pull', 'always'],
  ] as const) {
    const { host } = await planText('FROM debian', { options: { 'image-resolve-mode': mode } });
    assert.partialDeepStrictEqual(host.resolved[0]?.source, { type: 'image', pull });
  }
  const base = { 'packages.local/debian:trixie': imageConfig({}, { rootfs: { type: 'layers', diff_ids: [] } }) };
  for (const [mode, pull] of [
    ['', undefined],
    ['pull', 'always'],
  ] as const) {
    const options = { 'image-resolve-mode': mode };
    const { host } = await planText('FROM packages.local/debian:trixie', { options, world: { images: base } });
    const source = host.resolved[0]?.source;
    assert.deepEqual(source?.type === 'packages' && source.pull, pull);
  }
});

test('packages.local names a base made of packages', async () => {
  const base = imageConfig({}, { rootfs: { type: 'layers', diff_ids: [] }, history: [] });
  const planned = await planText('FROM packages.local/debian:bookworm-slim\nRUN x', {
    world: { images: { 'packages.local/debian:bookworm-slim': base } },
  });
  assert.partialDeepStrictEqual(planned.host.resolved[0]?.source, {
    type: 'packages',
    reference: 'packages.local/debian:bookworm-slim',
    platform: amd64,
  });
  assert.equal(planned.image.layers[0]?.kind, 'base');
  assert.match(
    chain(planned.image.root)[0]?.name ?? '',
    /^\[1\/2\] FROM packages\.local\/debian:bookworm-slim@sha256:/,
  );
});

test('ONBUILD of a base image runs right after FROM and is not handed on', async () => {
  const base = imageConfig({
    OnBuild: ['ENV FROM_BASE=1', 'COPY --from=busybox /b /b', 'RUN <<E\necho $FROM_BASE\nE'],
  });
  const planned = await planText('FROM base\nRUN own', {
    world: { images: { 'docker.io/library/base:latest': base, ...images('busybox:latest') } },
  });
  assert.deepEqual(history(planned), [
    'ENV FROM_BASE=1',
    'COPY /b /b # buildkit',
    'RUN /bin/sh -c echo $FROM_BASE\n # buildkit',
    'RUN /bin/sh -c own # buildkit',
  ]);
  assert.equal(planned.image.config.config?.OnBuild, undefined);
  assert.deepEqual(resolved(planned), ['docker.io/library/base:latest', 'docker.io/library/busybox:latest']);
  const names = chain(planned.image.root).map(({ name }) => name);
  assert.deepEqual(names.slice(1), [
    '[2/5] ONBUILD COPY --from=busybox /b /b',
    '[3/5] ONBUILD RUN <<E (echo 1)',
    '[4/5] RUN own',
  ]);
});

test('ONBUILD of a parent stage runs in its children, once', async () => {
  const text = 'FROM debian AS p\nONBUILD RUN hook\nFROM p AS c\nRUN c\nFROM c\nRUN d';
  const planned = await planText(text);
  assert.deepEqual(history(planned), [
    'RUN /bin/sh -c hook # buildkit',
    'RUN /bin/sh -c c # buildkit',
    'RUN /bin/sh -c d # buildkit',
  ]);
  const parent = await planText(text, { options: { target: 'p' } });
  assert.deepEqual(parent.image.config.config?.OnBuild, ['RUN hook']);
  assert.deepEqual(history(parent), []);
});

test('a fault in a trigger has the place of the FROM', async () => {
  const base = { 'docker.io/library/base:latest': imageConfig({ OnBuild: ['RUNN x'] }) };
  await assert.rejects(
    planText('FROM scratch AS a\nFROM base', { world: { images: base } }),
    (error: Error & { place?: { line: number } }) => {
      assert.match(
        error.message,
        /^run ONBUILD trigger "RUNN x" of the base: .*unknown instruction: RUNN \(did you mean RUN\?\)/,
      );
      assert.equal(error.place?.line, 2);
      return true;
    },
  );
});

test('named contexts stand in for stages and images', async () => {
  const text = 'FROM base AS b\nFROM debian:latest\nCOPY --from=b /x /x\nCOPY --from=other /y /y';
  const planned = await planText(text, {
    options: {
      'context:b': 'docker-image://busybox:1',
      'context:debian': 'docker-image://alpine',
      'context:other::linux/amd64': 'docker-image://scratch',
    },
    world: { images: images('busybox:1', 'alpine:latest') },
  });
  assert.deepEqual(resolved(planned), ['docker.io/library/alpine:latest', 'docker.io/library/busybox:1']);
  assert.deepEqual(planned.image.config.config?.Labels, { from: 'alpine:latest' });
  assert.match(
    vertices(planned).find(({ label }) => label.name.includes('busybox'))?.label.name ?? '',
    /^\[context b\] docker\.io\/library\/busybox:1@/,
  );
});

test('a named context may be an OCI layout, or an input', async () => {
  const digest = digestOf('manifest');
  const input = sourceState({ type: 'git', url: 'https://h/x.git' }, { name: 'git' });
  const metadata = JSON.stringify({
    'containerimage.config': Buffer.from(JSON.stringify(imageConfig({ Env: ['IN=1'] }))).toString('base64'),
  });
  const planned = await planText('FROM lay\nCOPY --from=inp /a /a', {
    options: { 'context:lay': `oci-layout://store:tag@${digest}`, 'context:inp': 'input:i' },
    world: { images: { [digest]: imageConfig() }, inputs: { i: input } },
  });
  assert.deepEqual(planned.host.resolved[0]?.source, { type: 'oci-layout', store: 'store', digest, platform: amd64 });
  assert.equal(planned.image.root.edge?.vertex.inputs[1]?.vertex.digest, input.edge?.vertex.digest);
  const based = await planText('FROM inp\nRUN x', {
    options: { 'context:inp': 'input:i', 'input-metadata:i': metadata },
    world: { inputs: { i: input } },
  });
  assert.ok(based.image.config.config?.Env?.includes('IN=1'));
  assert.deepEqual(
    based.image.layers.map(({ kind }) => kind),
    ['step', 'step'],
  );
  assert.equal(based.image.config.history?.filter((entry) => entry.empty_layer !== true).length, 2);
});

test('a named local context has its own ignore file, and is read as far as it is used', async () => {
  const text = 'FROM scratch\nCOPY --from=src a/*.c b /x/\nCOPY --from=src c /y';
  const found = await planText('', {
    options: { 'context:src': 'local:ctx-src' },
    world: {
      files: {
        dockerfile: { Dockerfile: text },
        'ctx-src': { '.dockerignore': '*.o' },
      },
    },
  });
  const locals = vertices(found).flatMap(({ op, label }) =>
    op.kind === 'source' && op.source.type === 'local' ? [[label.name, op.source] as const] : [],
  );
  assert.deepEqual(locals, [
    [
      '[context src] load from client',
      { type: 'local', name: 'ctx-src', include: ['a/*.c', 'b', 'c'], exclude: ['*.o'], follow: ['a/*.c', 'b', 'c'] },
    ],
  ]);
});

test('a stage built on a local context has its files as a layer', async () => {
  const world = { files: { dockerfile: { Dockerfile: 'FROM src\nRUN x' }, s: {} } };
  const { image } = await planText('', { options: { 'context:src': 'local:s' }, world });
  assert.deepEqual(
    image.layers.map(({ kind }) => kind),
    ['step', 'step'],
  );
  assert.equal(image.config.history?.[0]?.comment, 'buildkit.exporter.image.v0');
  assert.partialDeepStrictEqual(chain(image.root)[0]?.op, { source: { type: 'local', name: 's', include: undefined } });
});

test('all steps share one vertex of the build context, as narrow as what they read', async () => {
  const context = async (text: string, ignore?: string): Promise<readonly LocalSource[]> =>
    vertices(await planText(text, { ignore })).flatMap(({ op }) =>
      op.kind === 'source' && op.source.type === 'local' ? [op.source] : [],
    );
  const local = { type: 'local', name: 'context', exclude: undefined };
  const paths = ['!odd', 'a', 'b/*.go'];
  assert.deepEqual(
    await context('FROM scratch AS s\nCOPY a /a\nFROM scratch\nCOPY --from=s /a /a\nCOPY ./b/*.go !odd /b/'),
    [{ ...local, include: ['\\!odd', 'a', 'b/*.go'], follow: paths }],
  );
  assert.deepEqual(await context('FROM scratch\nCOPY a /a\nCOPY . /b', 'x\n!y'), [
    { ...local, include: undefined, exclude: ['x', '!y'], follow: undefined },
  ]);
  assert.deepEqual(await context('FROM scratch\nCOPY $none /a'), [{ ...local, include: undefined, follow: undefined }]);
});

test('a change elsewhere in the file leaves the digests of other stages alone', async () => {
  const digest = async (text: string): Promise<readonly string[]> =>
    vertices(await planText(text))
      .filter(({ label }) => label.group === 'a')
      .map((vertex) => vertex.digest);
  const text = 'FROM debian AS a\nRUN x\nFROM debian\nCOPY --from=a /x /x\nRUN y';
  assert.deepEqual(await digest(text), await digest(text.replace('RUN y', 'RUN z')));
});

test('copies keep the order of their layers', async () => {
  const { image } = await planText('FROM debian\nCOPY a /a\nENV X=1\nRUN b\nWORKDIR /c');
  const { layers } = image;
  assert.deepEqual(
    layers.map(({ kind }) => kind),
    ['base', 'step', 'step', 'step'],
  );
  for (const [index, layer] of layers.entries())
    if (layer.kind === 'step') {
      const before = layers[index - 1];
      assert.equal(layer.before, before?.kind === 'step' ? before.after : before?.image);
      assert.equal(layer.dialect, 'oci');
    }
  assert.equal(image.root, (layers.at(-1) as { after: unknown }).after);
  assert.equal(image.config.history?.filter((entry) => entry.empty_layer !== true).length, layers.length);
});

test('thousands of stages are no trouble', async () => {
  const count = 3000;
  const stages = Array.from(
    { length: count },
    (_, index) => `FROM scratch AS s${index}\nCOPY --from=s${index + 1} a b`,
  );
  const text = `${stages.join('\n')}\nFROM scratch AS s${count}`;
  await assert.rejects(planText(text, { options: { target: 's0' } }), { code: 'DOCKERFILE_STAGE_ORDER' });
  await assert.rejects(planText(`${text}\nCOPY --from=s0 a b`), { code: 'DOCKERFILE_CIRCULAR' });
});
