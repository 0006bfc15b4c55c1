import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../../../base/index.ts';
import { digestOf, type Platform } from '../../../blob/index.ts';
import type { Op as OurOp } from '../../../graph/index.ts';
import { DefinitionSchema, OpSchema, type Definition, type Op } from '../../gen/buildkit/ops_pb.ts';
import { create, toBinary, type MessageInitShape } from '../../grpc/index.ts';
import { decodeDefinition } from './decode.ts';

type OpCase = NonNullable<MessageInitShape<typeof OpSchema>['op']>;

const platform: Platform = { os: 'linux', architecture: 'amd64' };

/** A definition put together op by op. */
class Ops {
  readonly def: Uint8Array[] = [];

  add(op: OpCase, inputs: readonly string[] = []): string {
    return this.raw(create(OpSchema, { op, inputs: inputs.map((digest) => ({ digest, index: 0n })) }));
  }

  raw(op: Op): string {
    const bytes = toBinary(OpSchema, op);
    this.def.push(bytes);
    return digestOf(bytes);
  }

  image(name = 'docker.io/library/debian:bookworm'): string {
    return this.add({ case: 'source', value: { identifier: `docker-image://${name}` } });
  }

  end(result: string, index = 0, more: MessageInitShape<typeof DefinitionSchema> = {}): Definition {
    this.raw(create(OpSchema, { inputs: [{ digest: result, index: BigInt(index) }] }));
    return create(DefinitionSchema, { def: this.def, ...more });
  }
}

const NONE = { input: -1n, output: -1n };
const ROOT = { input: 0n, dest: '/', output: 0n };

const decode = (definition: Definition) => decodeDefinition(definition, { platform });

async function rootOp(definition: Definition): Promise<OurOp | undefined> {
  return (await decode(definition)).root.edge?.vertex.op;
}

test('a process with all its mounts is one vertex', async () => {
  const ops = new Ops();
  const base = ops.image();
  const local = ops.add({
    case: 'source',
    value: { identifier: 'local://context', attrs: { 'local.followpaths': '["a"]' } },
  });
  const exec = ops.add(
    {
      case: 'exec',
      value: {
        meta: {
          args: ['/bin/sh', '-c', 'make'],
          env: ['A=b'],
          cwd: '/src',
          user: 'dev',
          proxyEnv: { httpProxy: 'http://proxy' },
          validExitCodes: [0, 3],
          ulimit: [{ Name: 'nofile', Soft: 1n, Hard: 2n }],
          extraHosts: [{ Host: 'h', IP: '1.2.3.4' }],
        },
        network: 2,
        secretenv: [{ ID: 'tok', name: 'TOKEN', optional: true }],
        mounts: [
          ROOT,
          { input: 1n, selector: 'sub', dest: 'ctx', output: -1n, readonly: true },
          { input: -1n, dest: '/out', output: 1n },
          { ...NONE, dest: '/c', mountType: 3, cacheOpt: { ID: 'c', sharing: 2 } },
          { ...NONE, dest: '/t', mountType: 4, TmpfsOpt: { size: 1024n } },
          { ...NONE, dest: '/run/s', mountType: 1, secretOpt: { ID: 's', mode: 0o400 } },
          { ...NONE, dest: '/run/a', mountType: 2, SSHOpt: { ID: '', mode: 0o600, optional: true } },
          { ...NONE, dest: '/dev/shm', mountType: 4, TmpfsOpt: { size: 99n } },
        ],
      },
    },
    [base, local],
  );
  const decoded = await decode(
    ops.end(exec, 1, { metadata: { [exec]: { ignoreCache: true, linuxResources: { memory: 5n } } } }),
  );
  const { edge } = decoded.root;
  assert.equal(edge?.output, 1);
  assert.equal(edge.vertex.label.ignoreCache, true);
  assert.equal(edge.vertex.label.name, '/bin/sh -c make');
  assert.deepEqual(decoded.wireOf(edge.vertex.digest), [exec]);
  assert.equal(decoded.vertexOf(exec), edge.vertex);
  assert.deepEqual(
    edge.vertex.inputs.map(({ vertex: { op } }) => op.kind === 'source' && op.source.type),
    ['image', 'local', 'scratch'],
  );
  assert.deepEqual(JSON.parse(JSON.stringify(edge.vertex.op)), {
    kind: 'exec',
    args: ['/bin/sh', '-c', 'make'],
    env: ['A=b'],
    cwd: '/src',
    user: 'dev',
    network: 'none',
    security: 'sandbox',
    extraHosts: [{ host: 'h', ip: '1.2.3.4' }],
    ulimits: [{ name: 'nofile', soft: 1, hard: 2 }],
    proxyEnv: ['HTTP_PROXY=http://proxy', 'http_proxy=http://proxy'],
    exitCodes: [0, 3],
    shmSize: 99,
    resources: { memory: 5 },
    platform,
    mounts: [
      { type: 'bind', target: '/', input: 0, readonly: false, output: 0 },
      { type: 'bind', target: '/src/ctx', input: 1, source: '/sub', readonly: true },
      { type: 'bind', target: '/out', input: 2, readonly: false, output: 1 },
      { type: 'cache', target: '/c', id: 'c', sharing: 'locked', readonly: false, mode: 0o755, uid: 0, gid: 0 },
      { type: 'tmpfs', target: '/t', size: 1024 },
      { type: 'secret', target: '/run/s', id: 's', required: true, mode: 0o400, uid: 0, gid: 0 },
      { type: 'ssh', target: '/run/a', id: 'default', required: false, mode: 0o600, uid: 0, gid: 0 },
      { type: 'secret', env: 'TOKEN', id: 'tok', required: false, mode: 0o400, uid: 0, gid: 0 },
    ],
  });
});

test('what a mount that is only read gives back is what is mounted', async () => {
  const ops = new Ops();
  const base = ops.image();
  const other = ops.image('docker.io/library/other:1');
  const mounts = [
    { ...ROOT, output: 0n },
    { input: 1n, dest: '/o', output: 1n, readonly: true },
  ];
  const exec = ops.add({ case: 'exec', value: { meta: { args: ['x'] }, mounts } }, [base, other]);
  const op = await rootOp(ops.end(exec, 1));
  assert.equal(op?.kind === 'source' && op.source.type === 'image' && op.source.reference, 'docker.io/library/other:1');
});

const mkfile = (path: string, data = 'x') =>
  ({ case: 'mkfile', value: { path, data: Buffer.from(data), mode: 0o644, timestamp: -1n } }) as const;
const copy = (src: string, dest: string) =>
  ({
    case: 'copy',
    value: {
      src,
      dest,
      mode: -1,
      timestamp: -1n,
      followSymlink: true,
      dirCopyContents: true,
      createDestPath: true,
      allowWildcard: true,
      allowEmptyWildcard: true,
    },
  }) as const;

test('actions in a row are one vertex; one whose result is used otherwise ends it', async () => {
  const ops = new Ops();
  const base = ops.image();
  const row = ops.add(
    {
      case: 'file',
      value: {
        actions: [
          { input: 0n, secondaryInput: -1n, output: -1n, action: mkfile('/a') },
          { input: 1n, secondaryInput: -1n, output: 0n, action: mkfile('/b') },
        ],
      },
    },
    [base],
  );
  const made = await rootOp(ops.end(row));
  assert.equal(made?.kind === 'file' && made.actions.length, 2);

  const split = new Ops();
  const from = split.image();
  const file = split.add(
    {
      case: 'file',
      value: {
        actions: [
          { input: -1n, secondaryInput: -1n, output: -1n, action: mkfile('/text') },
          { input: 0n, secondaryInput: 1n, output: 0n, action: copy('/text', '/in') },
          { input: 0n, secondaryInput: 1n, output: 1n, action: copy('/text', '/other') },
        ],
      },
    },
    [from],
  );
  const decoded = await decode(split.end(file, 1));
  const { vertex } = decoded.root.edge!;
  assert.deepEqual(
    vertex.inputs.map((input) => input.vertex.op.kind),
    ['source', 'file'],
  );
  assert.deepEqual(decoded.wireOf(vertex.digest), [file]);
  assert.deepEqual(decoded.wireOf(vertex.inputs[1]!.vertex.digest), [file]);
});

test('sources are read with all their attributes', async () => {
  const cases: readonly (readonly [identifier: string, attrs: Record<string, string>, expected: unknown])[] = [
    [
      'docker-image://debian@sha256:' + 'a'.repeat(64),
      { 'image.resolvemode': 'pull', 'image.layerlimit': '2', 'image.recordtype': 'internal' },
      {
        type: 'image',
        reference: `docker.io/library/debian@sha256:${'a'.repeat(64)}`,
        platform,
        pull: 'always',
        layerLimit: 2,
      },
    ],
    [
      'docker-image://debian:12',
      { 'image.checksum': `sha256:${'b'.repeat(64)}` },
      { type: 'image', reference: `docker.io/library/debian:12@sha256:${'b'.repeat(64)}`, platform, pull: 'missing' },
    ],
    [
      'oci-layout://app:v1@sha256:' + 'a'.repeat(64),
      { 'oci.store': 'st', 'oci.session': 'x' },
      { type: 'oci-layout', store: 'st', digest: `sha256:${'a'.repeat(64)}`, platform },
    ],
    [
      'local://ctx',
      {
        'local.session': 'abc',
        'local.includepattern': '["a"]',
        'local.excludepatterns': '["b"]',
        'local.followpaths': '[]',
        'local.sharedkeyhint': 'h',
        'local.unique': 'u',
        'local.differ': 'none',
      },
      { type: 'local', name: 'ctx', include: ['a'], exclude: ['b'] },
    ],
    [
      'git://example.com/x.git#v1:sub',
      {
        'git.fullurl': 'https://example.com/x.git',
        'git.authtokensecret': 'GIT_AUTH_TOKEN',
        'git.authheadersecret': 'GIT_AUTH_HEADER',
        'git.keepgitdir': 'true',
        'git.skipsubmodules': 'true',
        'git.mtime': 'checkout',
        'git.checksum': 'abc',
      },
      {
        type: 'git',
        url: 'https://example.com/x.git',
        ref: 'v1',
        subdir: 'sub',
        keepGitDir: true,
        checksum: 'abc',
        submodules: false,
        mtime: 'checkout',
      },
    ],
    [
      'git://git@example.com:x.git',
      { 'git.mountsshsock': 'other', 'git.knownsshhosts': 'example.com k' },
      { type: 'git', url: 'git@example.com:x.git', auth: {}, agent: 'other', knownHosts: 'example.com k' },
    ],
    [
      'https://example.com/f',
      {
        'http.perm': '0755',
        'http.uid': '5',
        'http.gid': '0x6',
        'http.filename': 'g',
        'http.header.accept': 'text/plain',
        'http.authheadersecret': 's',
      },
      {
        type: 'http',
        url: 'https://example.com/f',
        filename: 'g',
        mode: 0o755,
        uid: 5,
        gid: 6,
        headers: [{ name: 'Accept', value: 'text/plain' }],
        authSecret: 's',
      },
    ],
  ];
  for (const [identifier, attrs, expected] of cases) {
    const ops = new Ops();
    const op = await rootOp(ops.end(ops.add({ case: 'source', value: { identifier, attrs } })));
    assert.deepEqual(JSON.parse(JSON.stringify(op?.kind === 'source' && op.source)), expected, identifier);
  }
});

test('what is not known is refused by name', async () => {
  const refused = async (message: RegExp, op: OpCase): Promise<void> => {
    const ops = new Ops();
    const digest = ops.add(op);
    await assert.rejects(decode(ops.end(digest)), (error: Error) => {
      assert.ok(hasCode(error, 'LLB_UNSUPPORTED'), error.message);
      assert.match(error.message, message);
      assert.ok(error.message.includes(digest), error.message);
      return true;
    });
  };
  await refused(/scheme "ftp" is not supported/, { case: 'source', value: { identifier: 'ftp://x' } });
  await refused(/attribute "image.new"/, {
    case: 'source',
    value: { identifier: 'docker-image://x', attrs: { 'image.new': '1' } },
  });
  await refused(/device "gpu"/, {
    case: 'exec',
    value: { meta: { args: ['x'] }, cdiDevices: [{ name: 'gpu' }], mounts: [{ ...ROOT, input: -1n }] },
  });
  await refused(/local\.metadatatransfer/, {
    case: 'source',
    value: { identifier: 'local://x', attrs: { 'local.metadatatransfer': 'true' } },
  });
  for (const url of ['file:///srv/repository', 'ext::sh -c x'])
    await refused(/git may not fetch by/, {
      case: 'source',
      value: { identifier: 'git://x', attrs: { 'git.fullurl': url } },
    });
  const built = new Ops();
  const build = built.add(
    { case: 'build', value: { builder: -1n, inputs: { 'buildkit.llb.definition': { input: 0n } } } },
    [built.image()],
  );
  await assert.rejects(decode(built.end(build)), /ops "build" are not supported here/);
  // field 99 of an op, of length 1
  const ops = new Ops();
  const image = ops.image();
  const bytes = Buffer.concat([ops.def.pop()!, Buffer.from([0x9a, 0x06, 0x01, 0x01])]);
  ops.def.push(bytes);
  assert.notEqual(digestOf(bytes), image);
  await assert.rejects(decode(ops.end(digestOf(bytes))), /field 99: not known/);
});

test('a definition that is wrong is told so', async () => {
  const wrong = async (message: RegExp, definition: Definition): Promise<void> => {
    await assert.rejects(decode(definition), (error: Error) => {
      assert.ok(hasCode(error, 'LLB_INVALID'), error.message);
      assert.match(error.message, message);
      return true;
    });
  };
  await wrong(/is needed and not in it/, new Ops().end(`sha256:${'0'.repeat(64)}`));
  await wrong(/is needed and not in it/, new Ops().end('lies'));
  await wrong(/returns nothing/, create(DefinitionSchema, { def: [toBinary(OpSchema, create(OpSchema, {}))] }));
  await wrong(/read op 0 of definition/, create(DefinitionSchema, { def: [Buffer.from([0xff, 0xff])] }));
  let ops = new Ops();
  await wrong(/has no output "7"/, ops.end(ops.image(), 7));
  ops = new Ops();
  await wrong(/none is the root/, ops.end(ops.add({ case: 'exec', value: { meta: { args: ['x'] }, mounts: [] } })));
  ops = new Ops();
  const twice = {
    meta: { args: ['x'] },
    mounts: [
      { ...ROOT, input: -1n },
      { ...ROOT, input: -1n, dest: '/..' },
    ],
  };
  await wrong(/two are the root/, ops.end(ops.add({ case: 'exec', value: twice })));
  ops = new Ops();
  const zero = { actions: [{ input: -1n, secondaryInput: -1n, output: 0n, action: mkfile('/a\0b') }] };
  await wrong(/actions\[0\]\.action\.value\.path: it has a zero byte/, ops.end(ops.add({ case: 'file', value: zero })));
  ops = new Ops();
  const loop = {
    actions: [
      { input: 1n, secondaryInput: -1n, output: 0n, action: mkfile('/a') },
      { input: 0n, secondaryInput: -1n, output: -1n, action: mkfile('/b') },
    ],
  };
  await wrong(/needs its own result/, ops.end(ops.add({ case: 'file', value: loop })));
  ops = new Ops();
  const named = {
    ...mkfile('/a').value,
    owner: { user: { user: { case: 'byName', value: { name: 'x', input: -1n } } } },
  } as const;
  await wrong(
    /invalid user index: -1/,
    ops.end(
      ops.add({
        case: 'file',
        value: { actions: [{ input: -1n, secondaryInput: -1n, output: 0n, action: { case: 'mkfile', value: named } }] },
      }),
    ),
  );
});

test('nothing is scratch; long chains, wide ops and merges of merges are read in their own time', async () => {
  assert.equal((await decode(create(DefinitionSchema, {}))).root.isScratch, true);
  const ops = new Ops();
  let at = ops.image();
  for (let i = 0; i < 1500; i++)
    at = ops.add(
      { case: 'file', value: { actions: [{ input: 0n, secondaryInput: -1n, output: 0n, action: mkfile(`/${i}`) }] } },
      [at],
    );
  for (let i = 0; i < 100; i++)
    at = ops.add({ case: 'merge', value: { inputs: [{ input: 0n }, { input: 1n }] } }, [at, at]);
  const decoded = await decode(ops.end(at));
  assert.ok(decoded.root.edge!.vertex.label.name.length < 1000);
  const deep = new Ops();
  let bottom = deep.image();
  for (let i = 0; i < 2001; i++)
    bottom = deep.add({ case: 'diff', value: { lower: { input: -1n }, upper: { input: 0n } } }, [bottom]);
  await assert.rejects(decode(deep.end(bottom)), (error) => hasCode(error, 'LLB_TOO_LARGE'));
  const wide = new Ops();
  const base = wide.image();
  const actions = Array.from({ length: 2000 }, (_, i) => ({
    input: i === 0 ? 0n : BigInt(i),
    secondaryInput: 0n,
    output: i === 1999 ? 0n : -1n,
    action: copy(`/${i}`, '/to/'),
  }));
  const op = await rootOp(wide.end(wide.add({ case: 'file', value: { actions } }, [base])));
  assert.equal(op?.kind === 'file' && op.actions.length, 1);
});

test('definitions in each other have one limit together for the steps that stand on each other', async () => {
  const chain = (from: (ops: Ops) => string, steps: number): Definition => {
    const ops = new Ops();
    let last = from(ops);
    for (let n = 0; n < steps; n++)
      last = ops.add({ case: 'exec', value: { meta: { args: ['x', String(n)], cwd: '/' }, mounts: [{ ...ROOT }] } }, [
        last,
      ]);
    return ops.end(last);
  };
  const nested = (steps: number) =>
    chain((ops) => {
      const input = { 'buildkit.llb.definition': { input: 0n } };
      return ops.add({ case: 'build', value: { builder: -1n, inputs: input } }, [ops.image()]);
    }, steps);
  const inner = toBinary(
    DefinitionSchema,
    chain((ops) => ops.image(), 1500),
  );
  const read = (definition: Definition) =>
    decodeDefinition(definition, { platform, readDefinition: async () => inner });
  assert.ok((await read(nested(400))).root.edge);
  await assert.rejects(read(nested(600)), (error) => hasCode(error, 'LLB_TOO_LARGE'));
});
