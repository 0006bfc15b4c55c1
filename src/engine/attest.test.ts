import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { collect, systemRandom } from '../base/index.ts';
import { digestOf } from '../blob/index.ts';
import {
  chooseImage,
  configOf,
  hostPlatform,
  imageId,
  indexManifestOf,
  manifestOf,
  openArchive,
  openLayout,
  type Image,
  type Index,
} from '../image/index.ts';
import { registryOf } from '../registry/testing/world.ts';
import { EngineRig, type BuildOptions, type Built } from './engine-rig.suite.ts';

const FILES = {
  Dockerfile:
    'FROM scratch AS base\nARG WHO=x\nARG API_TOKEN\nRUN echo $API_TOKEN && write /who who\n' +
    'FROM base\nCOPY a /dir/a\nRUN --network=none --mount=type=secret,id=tok cat /who\nLABEL x=y\n',
  a: 'content of a',
};
const OPTIONS = {
  'attest:provenance': 'mode=max',
  'build-arg:WHO': 'me',
  'build-arg:API_TOKEN': 'hunter2hunter2',
  'build-arg:HTTP_PROXY': 'http://joe:opensesame@proxy.example:3128',
  'label:k': 'v',
};

/** What a statement holds, as far as these tests look. */
interface Statement {
  readonly _type: string;
  readonly predicateType: string;
  readonly subject: readonly { readonly name: string; readonly digest: { readonly sha256: string } }[];
  readonly predicate: Record<string, unknown>;
}

function done(built: Built): Built {
  if (built.error !== undefined) throw built.error as Error;
  return built;
}

/** The image and the statements of an index of one platform, by its links. */
async function partsOf(value: Image | Index): Promise<{ image: Image; attestation: Image; statements: Statement[] }> {
  assert.equal(value.kind, 'index');
  const { manifests } = await indexManifestOf(value);
  const [first, second, ...more] = manifests;
  assert.ok(first && second && more.length === 0);
  assert.deepEqual(second.platform, { architecture: 'unknown', os: 'unknown' });
  assert.deepEqual(second.annotations, {
    'vnd.docker.reference.digest': first.digest,
    'vnd.docker.reference.type': 'attestation-manifest',
  });
  const attestation = (await value.member(second)) as Image;
  const statements: Statement[] = [];
  for (const layer of await attestation.layers()) {
    const { annotations, mediaType } = await layer.descriptor();
    assert.equal(mediaType, 'application/vnd.in-toto+json');
    const statement = JSON.parse((await collect(await layer.compressed())).toString()) as Statement;
    assert.equal(annotations?.['in-toto.io/predicate-type'], statement.predicateType);
    for (const { digest } of statement.subject) assert.equal(`sha256:${digest.sha256}`, first.digest);
    statements.push(statement);
  }
  return { image: (await value.member(first)) as Image, attestation, statements };
}

async function archiveOf(rig: EngineRig, sink = 'oci'): Promise<{ value: Image | Index } & Disposable> {
  writeFileSync(rig.path(sink), rig.streams.get(sink) ?? '');
  const archive = await openArchive(rig.path(sink), { temp: rig.path('.'), random: systemRandom });
  const value = (await archive.images[0]?.open()) as Image | Index;
  return { value, [Symbol.dispose]: () => archive[Symbol.dispose]() };
}

/** The one statement of a build into an archive. */
async function saidOf(rig: EngineRig, o: BuildOptions): Promise<{ predicate: Record<string, never>; text: string }> {
  done(await rig.build(FILES, { exports: [{ type: 'oci', sink: 'oci', tar: true, names: ['x:1'] }], ...o }));
  using archive = await archiveOf(rig);
  const { statements } = await partsOf(archive.value);
  const [statement] = statements;
  assert.ok(statement && statements.length === 1);
  return { predicate: statement.predicate as Record<string, never>, text: JSON.stringify(statement) };
}

test('an image goes with what is said about it everywhere, and is the same image without', async () => {
  await using registry = await registryOf();
  const name = `${registry.server.host}/x:1`;
  await using rig = await EngineRig.open();
  const plain = done(await rig.build(FILES, { options: { ...OPTIONS, 'attest:provenance': 'disabled=true' } }));
  const built = done(
    await rig.build(FILES, {
      options: OPTIONS,
      exports: [
        { type: 'store', names: ['x'] },
        { type: 'oci', sink: 'oci', tar: true, names: ['x:1'] },
        { type: 'oci', sink: 'folder-layout', tar: false, names: [] },
        { type: 'oci', sink: 'artifact', tar: true, names: ['x:1'], artifact: true },
        { type: 'registry', names: [name] },
      ],
    }),
  );
  assert.equal(built.id, plain.id);
  using archive = await archiveOf(rig);
  const { image, attestation, statements } = await partsOf(archive.value);
  assert.equal(await imageId(image), built.id);
  assert.deepEqual(
    statements.map(({ _type, predicateType, subject }) => [_type, predicateType, subject.map((one) => one.name)]),
    [
      [
        'https://in-toto.io/Statement/v1',
        'https://slsa.dev/provenance/v1',
        [`pkg:docker/x@1?platform=linux%2F${hostPlatform(process).architecture}`],
      ],
    ],
  );
  const manifest = await manifestOf(attestation);
  assert.equal(
    Buffer.from(await attestation.config()).toString(),
    `{"architecture":"unknown","os":"unknown","config":{},"rootfs":{"type":"layers","diff_ids":["${manifest.layers[0]?.digest}"]}}`,
  );
  assert.equal(manifest.artifactType, undefined);
  // Without a name it is about the image all the same.
  const layout = openLayout(rig.path('folder-layout'));
  const nameless = await partsOf((await layout.images[0]?.open()) as Index);
  assert.deepEqual(
    nameless.statements[0]?.subject.map((one) => one.name),
    ['_'],
  );
  using artifact = await archiveOf(rig, 'artifact');
  const other = await partsOf(artifact.value);
  const as = await manifestOf(other.attestation);
  assert.equal(as.artifactType, 'application/vnd.docker.attestation.manifest.v1+json');
  assert.equal(as.subject?.digest, digestOf(await other.image.manifest()));
  assert.deepEqual([as.config.mediaType, as.config.data], ['application/vnd.oci.empty.v1+json', 'e30=']);

  // The store keeps it: what is pushed from there is what the build has pushed.
  const manifests = built.result?.images[0]?.manifests ?? [];
  const host = { credentials: async () => undefined };
  const pushed = await rig.engine.images.push('x', name, { host });
  assert.equal(pushed.digest, manifests.at(-1)?.descriptor.digest);
  await rig.engine.images.copy(`docker://${name}`, `oci-archive:${rig.path('copy')}`, { host });
  using copy = await openArchive(rig.path('copy'), { temp: rig.path('.'), random: systemRandom });
  assert.equal((await partsOf((await copy.images[0]?.open()) as Index)).statements.length, 1);
  const { image: chosen } = await chooseImage(archive.value, hostPlatform(process), { what: 'x' });
  assert.equal((await configOf(chosen)).config?.Labels?.['x'], 'y');
  // What prune leaves is whole.
  await rig.engine.store.prune({ all: false });
  assert.equal((await rig.engine.images.push('x', name, { host })).digest, pushed.digest);
});

test('an image with statements is a base, and is pulled, loaded and told of, like any other', async () => {
  await using registry = await registryOf();
  const name = `${registry.server.host}/base:1`;
  await using rig = await EngineRig.open();
  const first = done(
    await rig.build(FILES, {
      options: OPTIONS,
      exports: [
        { type: 'registry', names: [name] },
        { type: 'oci', sink: 'oci', tar: true, names: ['base:1'] },
      ],
    }),
  );
  const host = { credentials: async () => undefined };
  await using other = await EngineRig.open();
  assert.equal((await other.engine.images.pull(name, { host })).id, first.id);
  writeFileSync(other.path('base.tar'), rig.streams.get('oci') ?? '');
  assert.deepEqual(
    (await other.engine.images.load(other.path('base.tar'))).map(({ id }) => id),
    [first.id],
  );
  await using fresh = await EngineRig.open();
  const above = done(
    await fresh.build(
      { Dockerfile: `FROM ${name}\nCOPY b /b\n`, b: 'b' },
      { options: { 'attest:provenance': 'mode=min' }, names: ['above'] },
    ),
  );
  const { predicate } = JSON.parse(
    `{"predicate":${Buffer.from(above.result?.images[0]?.statements?.[0]?.predicate ?? '').toString()}}`,
  ) as { predicate: { buildDefinition: { resolvedDependencies: unknown } } };
  const [, repository = ''] = name.split('/');
  const { digest } = await fresh.engine.images
    .list()
    .then((all) => ({ digest: all.find(({ id }) => id === first.id)?.manifestDigest }));
  assert.deepEqual(predicate.buildDefinition.resolvedDependencies, [
    {
      uri: `pkg:docker/${registry.server.host}/${repository.replace(':', '@')}?platform=linux%2F${hostPlatform(process).architecture}`,
      digest: { sha256: digest?.slice('sha256:'.length) },
    },
  ]);
});

test('no value of a secret, of an argument that looks like one, or login of an address is told', async () => {
  await using rig = await EngineRig.open();
  for (const version of ['v1', 'v0.2'])
    for (const mode of ['max', 'min']) {
      const options = { ...OPTIONS, 'attest:provenance': `mode=${mode},version=${version}` };
      const { text } = await saidOf(rig, { options, secrets: { tok: 's3cr3t-of-the-build' } });
      for (const secret of [
        'hunter2hunter2',
        'opensesame',
        's3cr3t-of-the-build',
        Buffer.from('hunter2hunter2').toString('base64'),
      ])
        assert.ok(!text.includes(secret), `${mode} ${version} tells ${secret}`);
      assert.equal(text.includes('"build-arg:WHO":"me"'), mode === 'max');
      assert.equal(text.includes('"id":"tok"'), mode === 'max');
    }
});

test('provenance says what BuildKit says, in its two versions', async () => {
  await using rig = await EngineRig.open();
  const { predicate: one } = await saidOf(rig, {
    options: { ...OPTIONS, 'attest:provenance': 'mode=min,builder-id=b' },
  });
  const { buildDefinition, runDetails } = one as unknown as {
    buildDefinition: Record<string, unknown>;
    runDetails: { builder: unknown; metadata: Record<string, unknown> };
  };
  assert.deepEqual(buildDefinition, {
    buildType: 'https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md',
    externalParameters: {
      configSource: { path: 'Dockerfile' },
      request: { frontend: 'dockerfile.v0', locals: [{ name: 'context' }, { name: 'dockerfile' }] },
    },
    internalParameters: { builderPlatform: `linux/${hostPlatform(process).architecture}` },
  });
  assert.deepEqual(runDetails.builder, { id: 'b' });
  const { invocationId, startedOn, finishedOn, ...metadata } = runDetails.metadata;
  assert.match(String(invocationId), /^[0-9a-f]{32}$/);
  assert.ok(Date.parse(String(startedOn)) <= Date.parse(String(finishedOn)));
  assert.deepEqual(metadata, {
    buildkit_metadata: {},
    buildkit_completeness: { request: false, resolvedDependencies: false },
  });
  const { predicate: two } = await saidOf(rig, {
    options: { 'attest:provenance': 'mode=min,version=v0.2,reproducible=true' },
  });
  const { metadata: times, ...old } = two as unknown as { metadata: Record<string, unknown> };
  assert.deepEqual(old, {
    builder: { id: '' },
    buildType: 'https://mobyproject.org/buildkit@v1',
    invocation: {
      configSource: { entryPoint: 'Dockerfile' },
      parameters: { frontend: 'dockerfile.v0', locals: [{ name: 'context' }, { name: 'dockerfile' }] },
      environment: { platform: `linux/${hostPlatform(process).architecture}` },
    },
  });
  assert.deepEqual(
    { ...times, buildInvocationID: '', buildStartedOn: '', buildFinishedOn: '' },
    {
      buildInvocationID: '',
      buildStartedOn: '',
      buildFinishedOn: '',
      completeness: { parameters: true, environment: true, materials: false },
      reproducible: true,
      'https://mobyproject.org/buildkit@v1#metadata': {},
    },
  );
});

test('files are written with what is said about them beside them', async () => {
  await using rig = await EngineRig.open();
  const build = async (attribute: string, sink: string, prefix?: string): Promise<readonly string[]> => {
    const options = { 'attest:provenance': attribute };
    done(await rig.build(FILES, { options, exports: [{ type: 'local', sink, attestationPrefix: prefix }] }));
    return readdirSync(rig.path(sink)).sort();
  };
  assert.deepEqual(await build('', 'folder-one'), ['dir', 'provenance.json', 'who']);
  const { subject } = JSON.parse(readFileSync(rig.path('folder-one/provenance.json'), 'utf8')) as Statement;
  assert.deepEqual(subject, [
    { name: 'dir/a', digest: { sha256: digestOf(FILES.a).slice('sha256:'.length) } },
    { name: 'who', digest: { sha256: digestOf('who').slice('sha256:'.length) } },
  ]);
  assert.deepEqual(await build('filename=p.json', 'folder-two', 'x-'), ['dir', 'who', 'x-p.json']);
  assert.deepEqual(await build('inline-only=true', 'folder-three'), ['dir', 'who']);
});

test('what is for images only makes no index of an archive, unless that is asked for', async () => {
  await using rig = await EngineRig.open();
  const options = { 'attest:provenance': 'mode=min,inline-only=true' };
  const kinds: string[] = [];
  for (const inline of [undefined, true]) {
    const exports = [{ type: 'oci', sink: 'oci', tar: true, names: ['x'], inline }] as const;
    done(await rig.build(FILES, { options, exports }));
    using archive = await archiveOf(rig);
    kinds.push(archive.value.kind);
  }
  assert.deepEqual(kinds, ['image', 'index']);
});

test('targets that cannot hold statements refuse them before anything runs', async () => {
  await using rig = await EngineRig.open();
  const options = { 'attest:provenance': '' };
  const refused = [
    {
      exports: [{ type: 'docker', sink: 'd', tar: true, names: [] }],
      message: /Docker's archive format cannot hold them/,
    },
    { exports: [{ type: 'docker-daemon', names: [] }], message: /Docker's API cannot hold them/ },
    { exports: [{ type: 'registry', names: ['r.example/x'], docker: true }], message: /Docker's media types/ },
  ] as const;
  for (const { exports, message } of refused) {
    const built = await rig.build(FILES, { options, exports });
    assert.match(String((built.error as Error | undefined)?.message), message);
  }
  const bad = await rig.build(FILES, { options: { 'attest:provenance': 'mode=most' } });
  assert.match((bad.error as Error).message, /there is no mode "most"/);
  assert.deepEqual(rig.ground.commands, []);
});

test('in mode=max the steps are told by BuildKit’s words, where they were written, and their layers', async () => {
  await using rig = await EngineRig.open();
  const options = { 'attest:provenance': 'mode=max', 'build-arg:WHO': 'me' };
  const { predicate } = await saidOf(rig, { options });
  const { buildDefinition, runDetails } = predicate as unknown as {
    buildDefinition: {
      internalParameters: { buildConfig: { llbDefinition: readonly Step[]; digestMapping: Record<string, string> } };
    };
    runDetails: {
      metadata: {
        buildkit_metadata: {
          source: { locations: Record<string, unknown>; infos: readonly { filename: string; data: string }[] };
          layers: Record<string, readonly (readonly { readonly digest: string }[])[]>;
        };
      };
    };
  };
  const { llbDefinition: steps, digestMapping } = buildDefinition.internalParameters.buildConfig;
  // As Docker 28 has it of the same file.
  assert.deepEqual(
    steps.map(({ id, op, inputs = [] }) => [id, Object.keys(op.Op)[0], inputs.join(' ')]),
    [
      ['step0', 'exec', ''],
      ['step1', 'source', ''],
      ['step2', 'file', 'step0:0 step1:0'],
      ['step3', 'exec', 'step2:0'],
      ['step4', undefined, 'step3:0'],
    ],
  );
  assert.deepEqual(Object.values(digestMapping).sort(), ['step0', 'step1', 'step2', 'step3', 'step4']);
  assert.deepEqual(steps[3]?.op.Op['exec'], {
    meta: {
      args: ['/bin/sh', '-c', 'cat /who'],
      env: steps[3]?.op.Op['exec']?.meta.env,
      cwd: '/',
      removeMountStubsRecursive: true,
    },
    mounts: [
      { dest: '/' },
      {
        input: -1,
        dest: '/run/secrets/tok',
        output: -1,
        mountType: 1,
        secretOpt: { ID: 'tok', mode: 256, optional: true },
      },
    ],
    network: 2,
  });
  assert.ok(steps[0]?.op.Op['exec']?.meta.env.includes('WHO=me'));
  const { source, layers } = runDetails.metadata.buildkit_metadata;
  assert.deepEqual(
    source.infos.map(({ filename, data }) => [filename, Buffer.from(data, 'base64').toString()]),
    [['Dockerfile', FILES.Dockerfile]],
  );
  const lines = (start: number): unknown => ({
    locations: [{ ranges: [{ start: { line: start }, end: { line: start } }] }],
  });
  assert.deepEqual(source.locations, { step0: lines(4), step2: lines(6), step3: lines(7) });
  assert.deepEqual(
    Object.entries(layers).map(([id, [chain = []]]) => [id, chain.length]),
    [
      ['step0:0', 1],
      ['step2:0', 2],
      ['step3:0', 3],
    ],
  );
});

test('an SBOM lists what the image holds, the same for the same image, before how it was made', async () => {
  await using rig = await EngineRig.open();
  const files = {
    Dockerfile:
      'FROM scratch\nCOPY status /var/lib/dpkg/status\nRUN mkdir /app && mkdir /app/node_modules && mkdir /app/node_modules/left && write /app/node_modules/left/package.json {"name":"left","version":"1"}\n',
    status: 'Package: sed\nStatus: install ok installed\nArchitecture: all\nVersion: 4.9-1\n',
  };
  const build = async (
    options: Record<string, string>,
  ): Promise<readonly { predicateType: string; text: string }[]> => {
    const exports = [
      { type: 'oci', sink: 'oci', tar: true, names: ['x'] },
      { type: 'local', sink: `folder-${Object.keys(options).length}` },
    ] as const;
    const { result } = done(await rig.build(files, { options, exports }));
    return (result?.images[0]?.statements ?? []).map(({ predicateType, predicate }) => ({
      predicateType,
      text: Buffer.from(predicate).toString(),
    }));
  };
  const [sbom, more] = await build({ 'attest:sbom': '' });
  assert.ok(sbom && more === undefined);
  assert.equal(sbom.predicateType, 'https://spdx.dev/Document');
  const { packages } = JSON.parse(sbom.text) as {
    packages: readonly { externalRefs?: readonly { referenceLocator: string }[] }[];
  };
  assert.deepEqual(
    packages.map(({ externalRefs }) => externalRefs?.[0]?.referenceLocator),
    [undefined, 'pkg:deb/debian/sed@4.9-1?arch=all', 'pkg:npm/left@1'],
  );
  const both = await build({ 'attest:provenance': 'mode=min', 'attest:sbom': '' });
  assert.deepEqual(
    both.map(({ predicateType }) => predicateType),
    ['https://spdx.dev/Document', 'https://slsa.dev/provenance/v1'],
  );
  assert.equal(both[0]?.text, sbom.text);
  using archive = await archiveOf(rig);
  assert.equal((await partsOf(archive.value)).statements.length, 2);
  assert.deepEqual(readdirSync(rig.path('folder-2')).sort(), ['app', 'provenance.json', 'sbom.spdx.json', 'var']);
});

interface Step {
  readonly id: string;
  readonly op: { readonly Op: Readonly<Record<string, { readonly meta: { readonly env: readonly string[] } }>> };
  readonly inputs?: readonly string[];
}
