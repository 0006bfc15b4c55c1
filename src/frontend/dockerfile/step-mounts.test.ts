import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecOp, LocalSource, OpMount, SourceOp } from '../../graph/index.ts';
import { history, imageConfig, planText, type Planned } from './fake-host.suite.ts';

const exec = ({ image }: Planned): ExecOp => image.root.edge?.vertex.op as ExecOp;
const plan = (text: string, o: Parameters<typeof planText>[1] = {}): Promise<Planned> =>
  planText(text.startsWith('FROM') ? text : `FROM debian\n${text}`, o);
const mounts = async (text: string, o: Parameters<typeof planText>[1] = {}): Promise<readonly OpMount[]> =>
  exec(await plan(text, o)).mounts.slice(1);
/** Source of an input of the last step. */
const sourceAt = (planned: Planned, input: number): SourceOp['source'] => {
  const op = planned.image.root.edge?.vertex.inputs[input]?.vertex.op as SourceOp;
  return op.source;
};

test('a bind mount shows the build context, read-only, and narrows it', async () => {
  const planned = await plan('WORKDIR /w\nRUN --mount=target=src,source=a/../b --mount=type=bind,target=/c,rw,src=d x');
  assert.deepEqual(exec(planned).mounts.slice(1), [
    { type: 'bind', target: '/w/src', input: 1, source: '/b', readonly: true },
    { type: 'bind', target: '/c', input: 1, source: '/d', readonly: false },
  ]);
  const local = sourceAt(planned, 1) as LocalSource;
  assert.equal(local.name, 'context');
  assert.deepEqual(local.include, ['b', 'd']);
});

test('a bind mount without a source shows all of it', async () => {
  const planned = await plan('RUN --mount=target=/src x', { ignore: 'secret\n' });
  const local = sourceAt(planned, 1) as LocalSource;
  assert.equal(local.include, undefined);
  assert.deepEqual(local.exclude, ['secret']);
});

test('a bind mount from a stage, by name or number, an image, a context, and nothing', async () => {
  const text = [
    'FROM scratch AS build',
    'COPY a /a',
    'FROM debian',
    'RUN --mount=from=BUILD,target=/1 --mount=from=0,target=/2 --mount=from=busybox,target=/3 --mount=from=scratch,target=/4 --mount=from=named,target=/5,source=x y',
  ].join('\n');
  const world = {
    images: { 'docker.io/library/busybox:latest': imageConfig() },
    files: { named: {} },
  };
  const planned = await plan(text, { options: { 'context:named': 'local:named' }, world });
  const found = exec(planned).mounts.slice(1);
  assert.deepEqual(
    found.map((mount) => 'input' in mount && mount.input),
    [1, 1, 2, 3, 4],
  );
  assert.equal(planned.image.root.edge?.vertex.inputs[1]?.vertex.op.kind, 'file');
  assert.equal(sourceAt(planned, 2).type, 'image');
  assert.equal(sourceAt(planned, 3).type, 'scratch');
  assert.deepEqual((sourceAt(planned, 4) as LocalSource).include, ['x']);
});

test('a cache mount: name, sharing, seed, mode and owner', async () => {
  const [plain, full, seeded] = await mounts(
    [
      'FROM debian AS seed',
      'FROM debian',
      'RUN --mount=type=cache,target=/root/../c --mount=type=cache,id=n,target=d,sharing=locked,uid=1,gid=2,mode=0700,ro --mount=type=cache,target=/s,from=seed,source=/e,uid=3 x',
    ].join('\n'),
  );
  const shared = { type: 'cache', sharing: 'shared', readonly: false, mode: 0o755, uid: 0, gid: 0 };
  const nothing = { input: undefined, source: undefined };
  assert.deepEqual(plain, { ...shared, ...nothing, target: '/c', id: '/c' });
  assert.deepEqual(full, {
    ...nothing,
    type: 'cache',
    target: '/d',
    id: 'n',
    sharing: 'locked',
    readonly: true,
    mode: 0o700,
    uid: 1,
    gid: 2,
  });
  assert.deepEqual(seeded, { ...shared, target: '/s', id: '/s', input: 1, source: '/e' });
});

test('names of caches are kept apart by BUILDKIT_CACHE_MOUNT_NS', async () => {
  const options = { 'build-arg:BUILDKIT_CACHE_MOUNT_NS': 'team' };
  const [mount] = await mounts('RUN --mount=type=cache,id=a,target=/a x', { options });
  assert.equal(mount?.type === 'cache' && mount.id, 'team/a');
});

test('a tmpfs, with and without a size', async () => {
  assert.deepEqual(
    await mounts(
      'RUN --mount=type=tmpfs,target=/a --mount=type=tmpfs,target=/b,size=1.5k --mount=type=tmpfs,size=2GiB,target=/c x',
    ),
    [
      { type: 'tmpfs', target: '/a', size: undefined },
      { type: 'tmpfs', target: '/b', size: 1536 },
      { type: 'tmpfs', target: '/c', size: 2 ** 31 },
    ],
  );
});

test('a secret as a file, as a variable, as both', async () => {
  const common = { type: 'secret', required: false, mode: 0o400, uid: 0, gid: 0 };
  const none = { env: undefined };
  assert.deepEqual(
    await mounts(
      'RUN --mount=type=secret,id=a --mount=type=secret,source=b/c --mount=type=secret,target=/x/y --mount=type=secret,id=d,target=/z,uid=1,mode=0440,required x',
    ),
    [
      { ...common, ...none, id: 'a', target: '/run/secrets/a' },
      { ...common, ...none, id: 'b/c', target: '/run/secrets/c' },
      { ...common, ...none, id: 'y', target: '/x/y' },
      { ...common, ...none, id: 'd', target: '/z', uid: 1, mode: 0o440, required: true },
    ],
  );
  assert.deepEqual(
    await mounts(
      'RUN --mount=type=secret,id=a,env=A --mount=type=secret,id=b,env=B,target=/b,required=true --mount=type=secret,id=C,env= x',
    ),
    [
      { ...common, id: 'a', env: 'A', target: undefined },
      { ...common, id: 'b', env: 'B', target: '/b', required: true },
      { ...common, id: 'C', env: 'C', target: undefined },
    ],
  );
});

test('progress and history do not show what a variable of a secret hides', async () => {
  const planned = await plan('ARG A=open\nRUN --mount=type=secret,id=a,env=A echo $A');
  assert.equal(planned.image.root.edge?.vertex.label.name, '[2/2] RUN --mount=type=secret,id=a,env=A echo ****');
  assert.deepEqual(history(planned).slice(1), ['RUN |1 A=open /bin/sh -c echo $A # buildkit']);
});

test('an agent is forwarded to a socket that SSH_AUTH_SOCK names', async () => {
  const op = exec(await plan('RUN --mount=type=ssh --mount=type=ssh,id=b,target=/b,mode=0666,uid=5,required=true x'));
  const common = { type: 'ssh', gid: 0 };
  assert.deepEqual(op.mounts.slice(1), [
    { ...common, id: 'default', target: '/run/buildkit/ssh_agent.0', required: false, mode: 0o600, uid: 0 },
    { ...common, id: 'b', target: '/b', required: true, mode: 0o666, uid: 5 },
  ]);
  assert.equal(op.env.at(-1), 'SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0');
  const own = exec(await plan('ENV SSH_AUTH_SOCK=/mine\nRUN --mount=type=ssh x'));
  assert.deepEqual(
    own.env.filter((variable) => variable.startsWith('SSH_')),
    ['SSH_AUTH_SOCK=/mine'],
  );
});

test('values are expanded, `from` is not', async () => {
  const [mount] = await mounts('ARG T=cache ID=n\nENV D=/d\nRUN --mount=type=$T,target=$D/x,id="${ID}-1" y');
  assert.deepEqual(mount?.type === 'cache' && [mount.target, mount.id], ['/d/x', 'n-1']);
  const undefinedOne = await plan('RUN --mount=type=cache,target=/a$nothing y');
  assert.deepEqual(
    undefinedOne.host.warnings.map(({ code }) => code),
    ['UndefinedVar'],
  );
});

test('limits of the build go to every step and not into its recipe', async () => {
  const options = { memory: '1048576', memswap: '-1', cpuquota: '5000', cpusetcpus: '0-1', 'cgroup-parent': '/x' };
  const op = exec(await plan('RUN x', { options }));
  assert.deepEqual(JSON.parse(JSON.stringify(op.resources)), {
    memory: 1_048_576,
    memorySwap: -1,
    cpuQuota: 5000,
    cpusetCpus: '0-1',
  });
  assert.equal(op.cgroupParent, '/x');
  assert.equal(exec(await plan('RUN x')).resources, undefined);
});
