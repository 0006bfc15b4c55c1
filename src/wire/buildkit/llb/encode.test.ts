import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  array,
  assert as check,
  asyncProperty,
  boolean,
  constant,
  constantFrom,
  integer,
  nat,
  oneof,
  option,
  record,
  string,
  stringMatching,
  tuple,
  uint8Array,
  type Arbitrary,
} from 'fast-check';
import { CodedError, hasCode } from '../../../base/index.ts';
import { digestOf, type Platform } from '../../../blob/index.ts';
import {
  scratch,
  sourceState,
  State,
  type ExecOp,
  type FileAction,
  type OpMount,
  type Source,
} from '../../../graph/index.ts';
import { DefinitionSchema, OpSchema } from '../../gen/buildkit/ops_pb.ts';
import { create, fromBinary, toBinary } from '../../grpc/index.ts';
import { decodeDefinition } from './decode.ts';
import { encodeState } from './encode.ts';

const platform: Platform = { os: 'linux', architecture: 'amd64' };
const label = { name: 'a step' };

async function again(state: State): Promise<State> {
  const { definition } = encodeState(state);
  const bytes = toBinary(DefinitionSchema, definition);
  return (await decodeDefinition(fromBinary(DefinitionSchema, bytes), { platform })).root;
}

const word = stringMatching(/^[a-z][a-z0-9]{0,5}$/);
const path = array(word, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join('/')}`);
const maybe = <T>(value: Arbitrary<T>): Arbitrary<T | undefined> => option(value, { nil: undefined });
const hex = stringMatching(/^[0-9a-f]{64}$/).map((digits) => `sha256:${digits}` as const);
const words = maybe(array(word, { minLength: 1, maxLength: 3 }));
const id = integer({ min: 0, max: 0xffffffff });

const source: Arbitrary<Source> = oneof(
  record({
    type: constant('image' as const),
    reference: tuple(word, hex).map(([name, digest]) => `docker.io/library/${name}:1@${digest}`),
    platform: constantFrom(platform, { os: 'linux', architecture: 'arm', variant: 'v7' }),
    pull: constantFrom('missing' as const, 'always' as const),
    layerLimit: maybe(integer({ min: 1, max: 9 })),
  }),
  record({ type: constant('local' as const), name: word, include: words, exclude: words, follow: words }),
  record({
    type: constant('git' as const),
    url: constantFrom('https://h.example/x.git', 'ssh://git@h.example/x', 'git@h.example:x.git', 'git://h.example/x'),
    ref: maybe(word),
    subdir: maybe(word),
    keepGitDir: maybe(constant(true)),
    checksum: maybe(constant('abcdef')),
    submodules: maybe(constant(false)),
    mtime: maybe(constant('checkout' as const)),
    fetchByCommit: maybe(constant(true)),
    auth: maybe(record({ token: maybe(word), header: maybe(word) })),
    agent: maybe(word),
    knownHosts: maybe(word),
  }),
  record({
    type: constant('http' as const),
    url: word.map((name) => `https://h.example/${name}?a=b`),
    checksum: maybe(hex),
    filename: maybe(word),
    mode: maybe(integer({ min: 1, max: 0o7777 })),
    uid: maybe(integer({ min: 1, max: 9 })),
    headers: maybe(constant([{ name: 'Accept', value: 'x' }])),
    authSecret: maybe(word),
  }),
  record({ type: constant('oci-layout' as const), store: word, digest: hex, platform: constant(platform) }),
);

const owner = maybe(
  record({ user: oneof(word, id), group: maybe(oneof(word, id)) }).map(({ user, group }) =>
    group === undefined ? { user } : { user, group },
  ),
);
const time = constantFrom({}, { mtime: 5 }, { mtime: -2, mtimeNs: 7 });
const copied = record({
  destination: path,
  wildcard: boolean(),
  owner,
  mode: maybe(oneof(integer({ min: 0, max: 0o7777 }), constant('u=rw,go-w'))),
  exclude: words,
  unpack: boolean(),
  parents: boolean(),
  time,
  names: array(path, { minLength: 1, maxLength: 3 }),
  folderItself: maybe(constant(true as const)),
  followSource: maybe(constant(false as const)),
  makeFolders: maybe(constant(false as const)),
  replace: maybe(constant(true as const)),
  include: words,
}).map(({ names, wildcard, time: at, include, ...rest }) => {
  const sources = names.map((name) => (rest.parents ? `${name}/./deep/x` : name) + (wildcard ? '*' : ''));
  const below = rest.parents || wildcard || include?.length === 1 ? {} : { include };
  return {
    kind: 'copy',
    from: { input: 1 },
    sources,
    wildcard,
    followDestination: true,
    ...rest,
    ...at,
    ...below,
  } satisfies FileAction;
});
const action: Arbitrary<FileAction> = oneof(
  copied,
  record({ path, mode: integer({ min: 0, max: 0o777 }), parents: boolean(), owner, time }).map(
    ({ time: at, ...rest }) => ({ kind: 'mkdir', ...rest, ...at }) as const,
  ),
  record({ path, mode: integer({ min: 0, max: 0o777 }), content: string(), owner, time }).map(
    ({ time: at, ...rest }) => ({ kind: 'mkfile', ...rest, ...at }) as const,
  ),
  record({ path, target: path, owner, time }).map(
    ({ time: at, ...rest }) => ({ kind: 'symlink', ...rest, ...at }) as const,
  ),
  record({ path, wildcard: boolean(), missingOk: boolean() }).map((rest) => ({ kind: 'remove', ...rest }) as const),
);
/** No two copies side by side: what differs only in what it copies becomes one. */
const actions = array(action, { minLength: 1, maxLength: 4 }).map((all) =>
  all.filter((one, index) => one.kind !== 'copy' || all[index - 1]?.kind !== 'copy'),
);

const asked = { required: boolean(), mode: integer({ min: 0, max: 0o777 }), uid: id, gid: id };
const mount: Arbitrary<OpMount> = oneof(
  record({
    type: constant('bind' as const),
    target: path,
    input: constant(1),
    source: maybe(path),
    readonly: boolean(),
  }),
  record({
    type: constant('cache' as const),
    target: path,
    id: word,
    sharing: constantFrom('shared' as const, 'private' as const, 'locked' as const),
    readonly: boolean(),
    mode: integer({ min: 0, max: 0o777 }),
    uid: id,
    gid: id,
  }),
  record({ type: constant('tmpfs' as const), target: path, size: maybe(integer({ min: 1, max: 1e9 })) }),
  record({ type: constant('secret' as const), target: path, id: word, ...asked }),
  record({ type: constant('ssh' as const), target: path, id: word, ...asked }),
);
const exec: Arbitrary<Omit<ExecOp, 'kind'>> = record({
  args: array(word, { minLength: 1, maxLength: 3 }),
  env: array(
    word.map((name) => `${name}=x`),
    { maxLength: 2 },
  ),
  cwd: path,
  user: oneof(word, constant('')),
  mounts: array(mount, { maxLength: 3 }).map((all) => [
    { type: 'bind', target: '/', input: 0, readonly: false, output: 0 } as const,
    ...all,
  ]),
  network: constantFrom('default' as const, 'none' as const, 'host' as const),
  security: constantFrom('sandbox' as const, 'insecure' as const),
  hostname: maybe(word),
  extraHosts: maybe(constant([{ host: 'h', ip: '1.2.3.4' }])),
  ulimits: maybe(constant([{ name: 'nofile', soft: 1, hard: -1 }])),
  files: maybe(constant([{ path: '/dev/pipes/EOF', content: '#!/bin/sh', mode: 0o755 }])),
  shmSize: maybe(integer({ min: 1, max: 1e9 })),
  resources: maybe(record({ memory: integer({ min: 1, max: 1e12 }), cpusetCpus: maybe(constant('0-2')) })),
  cgroupParent: maybe(word),
  proxyEnv: maybe(constant(['HTTP_PROXY=x', 'http_proxy=x', 'NO_PROXY=y', 'no_proxy=y'])),
  exitCodes: maybe(constantFrom([1], [0, 7])),
  platform: constant(platform),
});

/** In the empty tree no name is known. */
function byNumber(one: FileAction): FileAction {
  return one.kind === 'remove' || !one.owner ? one : { ...one, owner: { user: 1, group: 2 } };
}

/** A graph of a few steps, the inputs of each among those before. */
const state: Arbitrary<State> = tuple(
  array(source, { minLength: 1, maxLength: 3 }),
  array(
    record({
      kind: constantFrom('file', 'exec', 'merge', 'diff'),
      pick: tuple(nat(), nat()),
      actions,
      exec,
      scratch: boolean(),
    }),
    { maxLength: 5 },
  ),
).map(([sources, steps]) => {
  const states = sources.map((one) => sourceState(one, label));
  for (const step of steps) {
    const base = states[step.pick[0] % states.length]!;
    const other = states[step.pick[1] % states.length]!;
    const onto = step.scratch ? scratch : base;
    if (step.kind === 'file')
      states.push(onto.file(step.scratch ? step.actions.map(byNumber) : step.actions, [other], label));
    else if (step.kind === 'exec') states.push(base.exec(step.exec, [other], label));
    else if (step.kind === 'merge') states.push(State.merge([base, other], label));
    else states.push(State.diff(onto, other, label));
  }
  return states.at(-1)!;
});

test('what is written as a definition and read again is the same graph', async () => {
  await check(
    asyncProperty(state, async (given) => {
      const back = await again(given);
      assert.deepEqual(
        JSON.parse(JSON.stringify(back.edge?.vertex.op)),
        JSON.parse(JSON.stringify(given.edge?.vertex.op)),
      );
      assert.equal(back.edge?.vertex.digest, given.edge?.vertex.digest);
      assert.equal(back.edge?.output, given.edge?.output);
      const [a, b] = [encodeState(given), encodeState(given)].map(({ definition }) =>
        digestOf(toBinary(DefinitionSchema, definition)),
      );
      assert.equal(a, b);
    }),
    { numRuns: 150 },
  );
});

test('no definition brings decoding down', async () => {
  const tries = async (bytes: Uint8Array): Promise<void> => {
    let definition;
    try {
      definition = fromBinary(DefinitionSchema, bytes);
    } catch {
      return;
    }
    await decodeDefinition(definition, { platform }).catch((error: unknown) => {
      if (error instanceof CodedError && error.kind !== 'internal') return;
      throw error;
    });
  };
  await check(asyncProperty(uint8Array({ maxLength: 200 }), tries), { numRuns: 200 });
  await check(
    asyncProperty(
      state,
      array(tuple(nat(), nat(255)), { minLength: 1, maxLength: 4 }),
      boolean(),
      async (given, flips, relink) => {
        const { definition } = encodeState(given);
        for (const [at, value] of flips) {
          const bytes = definition.def[at % definition.def.length]!;
          bytes[at % bytes.length] = value;
        }
        // What is broken keeps its place in the graph.
        if (relink) {
          const fresh = new Map<string, string>();
          const parts = encodeState(given).definition.def;
          for (const [index, bytes] of definition.def.entries()) {
            let op;
            try {
              op = fromBinary(OpSchema, bytes);
            } catch {
              continue;
            }
            for (const input of op.inputs) input.digest = fresh.get(input.digest) ?? input.digest;
            definition.def[index] = toBinary(OpSchema, op);
            fresh.set(digestOf(parts[index]!), digestOf(definition.def[index]));
          }
        }
        await tries(toBinary(DefinitionSchema, definition));
      },
    ),
    { numRuns: 200 },
  );
});

test('text that a plan holds, files of a step, and what is picked become steps that BuildKit has', async () => {
  const base = sourceState({ type: 'image', reference: 'docker.io/library/a:1', platform, pull: 'missing' }, label);
  const inline = base.file(
    [
      {
        kind: 'copy',
        from: { files: [{ name: 'x', content: 'hello', mode: 0o644 }] },
        sources: ['/x'],
        destination: '/to/',
        wildcard: false,
        parents: false,
        unpack: false,
        followDestination: true,
      },
    ],
    [],
    label,
  );
  const read = (await again(inline)).edge!.vertex;
  assert.deepEqual(
    read.inputs.map(({ vertex }) => vertex.op.kind),
    ['source', 'file'],
  );
  const step = base.exec(
    {
      args: ['/dev/pipes/EOF'],
      env: [],
      cwd: '/',
      user: '',
      network: 'default',
      security: 'sandbox',
      platform,
      mounts: [{ type: 'bind', target: '/', input: 0, readonly: false, output: 0 }],
      files: [{ path: '/dev/pipes/EOF', content: '#!/bin/sh', mode: 0o755 }],
    },
    [],
    label,
  );
  assert.equal((await again(step)).edge!.vertex.digest, step.edge!.vertex.digest);
  const picked = scratch.file(
    [
      {
        kind: 'pick',
        from: { input: 1 },
        trees: ['/layers/a*', '/layers/a*/in'],
        entries: ['/layers', '/etc/x'],
        except: ['/layers/a*/no'],
        owner: { user: 5, group: 6 },
      },
    ],
    [base],
    label,
  );
  const copies = (await again(picked)).edge!.vertex.op;
  assert.deepEqual(
    copies.kind === 'file' &&
      copies.actions.map((one) => (one.kind === 'copy' ? [one.sources, one.include, one.exclude] : one.kind)),
    [
      [['/'], ['layers'], ['layers/*', 'layers/a\\*/no']],
      'mkdir',
      [['/etc'], ['x'], ['x/*']],
      'mkdir',
      [['/layers'], ['a\\*'], ['a\\*/no']],
    ],
  );
});

test('what BuildKit has no word for is refused, or replaced', async () => {
  const packages = sourceState({ type: 'packages', reference: 'packages.local/debian:bookworm', platform }, label);
  assert.throws(
    () => encodeState(packages),
    (error) => hasCode(error, 'LLB_UNSUPPORTED'),
  );
  const layout = sourceState({ type: 'oci-layout', store: 's', digest: digestOf('x'), platform }, label);
  const step = packages.file([{ kind: 'mkdir', path: '/a', mode: 0o755, parents: false }], [], label);
  const replaced = encodeState(step, { replace: (one) => (one.type === 'packages' ? layout : undefined) });
  const back = await decodeDefinition(replaced.definition, { platform });
  assert.equal(back.root.edge?.vertex.inputs[0]?.vertex.digest, layout.edge?.vertex.digest);
  assert.equal(replaced.vertexOf(replaced.result!.wire), step.edge?.vertex);
  assert.equal(replaced.wireOf(step.edge!.vertex.digest), replaced.result?.wire);
  assert.deepEqual(encodeState(scratch).definition, create(DefinitionSchema, {}));
  assert.equal(encodeState(packages, { replace: () => scratch }).result, undefined);
});
