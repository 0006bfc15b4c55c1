import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CopyAction, ExecOp, FileOp, MkdirAction } from '../../graph/index.ts';
import { chain, history, imageConfig, planText, type Planned } from './fake-host.suite.ts';
import { destinationPath, parseOwner } from './step-copy.ts';

const lastExec = ({ image }: Planned): ExecOp => image.root.edge?.vertex.op as ExecOp;
const lastFile = ({ image }: Planned): FileOp => image.root.edge?.vertex.op as FileOp;

const label = ({ image }: Planned): string => image.root.edge?.vertex.label.name ?? '';
const run = async (text: string, o: Parameters<typeof planText>[1] = {}): Promise<ExecOp> =>
  lastExec(await planText(`FROM debian\n${text}`, o));
const copies = async (text: string, o: Parameters<typeof planText>[1] = {}): Promise<readonly CopyAction[]> =>
  lastFile(await planText(`FROM debian\n${text}`, o)).actions as readonly CopyAction[];

test('RUN in shell form and exec form', async () => {
  assert.deepEqual((await run('RUN a  && \\\n  b')).args, ['/bin/sh', '-c', 'a  &&   b']);
  assert.deepEqual((await run('RUN ["a", "$b"]')).args, ['a', '$b']);
  assert.deepEqual((await run('SHELL ["/bin/bash", "-ec"]\nRUN a')).args, ['/bin/bash', '-ec', 'a']);
  assert.deepEqual((await run('RUN')).args, ['/bin/sh', '-c', '']);
});

test('RUN: where, as whom and with what it runs', async () => {
  const op = await run('WORKDIR /w\nUSER app:grp\nENV A=1\nARG B=2\nARG UNSET\nRUN x');
  assert.partialDeepStrictEqual(op, {
    cwd: '/w',
    user: 'app:grp',
    env: ['PATH=/usr/bin:/bin', 'A=1', 'B=2'],
    mounts: [{ type: 'bind', target: '/', input: 0, readonly: false, output: 0 }],
    network: 'default',
    security: 'sandbox',
    platform: { os: 'linux', architecture: 'amd64' },
  });
  assert.equal(op.hostname, undefined);
  assert.equal((await run('RUN x')).cwd, '/');
});

test('RUN: flags and options of the build', async () => {
  assert.equal((await run('RUN --network=none x', { options: { 'force-network-mode': 'host' } })).network, 'none');
  assert.equal((await run('RUN --network=default x', { options: { 'force-network-mode': 'host' } })).network, 'host');
  assert.equal((await run('RUN --security=insecure x')).security, 'insecure');
  const op = await run('RUN x', {
    options: {
      'add-hosts': 'DB=10.0.0.1,"v6=::1"',
      'shm-size': '1048576',
      ulimit: 'nofile=1024:2048,core=-1',
      hostname: 'box',
    },
  });
  assert.deepEqual(op.extraHosts, [
    { host: 'db', ip: '10.0.0.1' },
    { host: 'v6', ip: '::1' },
  ]);
  assert.equal(op.shmSize, 1_048_576);
  assert.deepEqual(op.ulimits, [
    { name: 'nofile', soft: 1024, hard: 2048 },
    { name: 'core', soft: -1, hard: -1 },
  ]);
  assert.equal(op.hostname, 'box');
  const knob = { hostname: 'box', 'build-arg:BUILDKIT_SANDBOX_HOSTNAME': 'arg' };
  assert.equal((await run('RUN x', { options: knob })).hostname, 'arg');
});

test('RUN with a single heredoc runs its body in the shell', async () => {
  assert.deepEqual((await run('RUN <<EOF\na\n\tb\nEOF')).args, ['/bin/sh', '-c', 'a\n\tb\n']);
  assert.deepEqual((await run('RUN <<-EOF\n\ta\n\t\tb\n\tEOF')).args, ['/bin/sh', '-c', 'a\nb\n']);
  assert.deepEqual((await run('RUN <<"EOF"\n$a\nEOF')).args, ['/bin/sh', '-c', '$a\n']);
});

test('RUN with a single heredoc that is a script runs the script', async () => {
  const planned = await planText('FROM debian\nRUN <<py\n#!/usr/bin/python3\nprint(1)\npy');
  const op = lastExec(planned);
  assert.deepEqual(op.args, ['/bin/sh', '-c', '/dev/pipes/py']);
  assert.deepEqual(op.files, [{ path: '/dev/pipes/py', content: '#!/usr/bin/python3\nprint(1)\n', mode: 0o755 }]);
  assert.equal(label(planned), '[2/2] RUN <<py (#!/usr/bin/python3...)');
  assert.deepEqual(history(planned), ['RUN /bin/sh -c /dev/pipes/py # buildkit']);
});

test('RUN with a command and heredocs hands all of it to the shell', async () => {
  const op = await run('RUN cat <<A - 3<<-"B"\na\nA\n\tb\n\tB');
  assert.deepEqual(op.args, ['/bin/sh', '-c', 'cat <<A - 3<<-"B"\na\nA\n\tb\nB']);
  assert.equal(op.files, undefined);
});

test('ARGs stand in the history of each RUN, proxies only when declared', async () => {
  const planned = await planText('ARG G=g\nFROM debian\nARG A=1\nARG G\nARG B\nENV A=2\nRUN x', {
    options: { 'build-arg:HTTP_PROXY': 'http://p:1', 'build-arg:no_proxy': 'n' },
  });
  assert.equal(history(planned).at(-1), 'RUN |3 A=2 G=g B= /bin/sh -c x # buildkit');
  assert.deepEqual(lastExec(planned).proxyEnv, [
    'HTTP_PROXY=http://p:1',
    'http_proxy=http://p:1',
    'NO_PROXY=n',
    'no_proxy=n',
  ]);
  assert.ok(!lastExec(planned).env.some((variable) => /proxy/i.test(variable)));
  const declared = await planText('FROM debian\nARG HTTP_PROXY\nRUN x', { options: { 'build-arg:HTTP_PROXY': 'p' } });
  assert.equal(history(declared).at(-1), 'RUN |1 HTTP_PROXY=p /bin/sh -c x # buildkit');
  assert.ok(lastExec(declared).env.includes('HTTP_PROXY=p'));
});

test('COPY: sources are rooted and cleaned, one action for all', async () => {
  const [action, none] = await copies('WORKDIR /w\nCOPY a ./b/ ../../c /d/../e* f/');
  assert.equal(none, undefined);
  assert.deepEqual(action, {
    kind: 'copy',
    from: { input: 1 },
    sources: ['/a', '/b', '/c', '/e*'],
    destination: '/w/f/',
    wildcard: true,
    owner: undefined,
    mode: undefined,
    exclude: undefined,
    parents: false,
    unpack: false,
    followDestination: true,
  });
  assert.equal((await copies('COPY a\\\\*b /c'))[0]?.wildcard, false);
  assert.deepEqual((await copies('COPY . /c'))[0]?.sources, ['/']);
});

test('destinations are joined with the folder, a trailing slash says folder', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['/w', 'a', '/w/a'],
    ['/w', 'a/', '/w/a/'],
    ['/w', './a/../b', '/w/b'],
    ['/w', '.', '/w/'],
    ['/w', '', '/w/'],
    ['/w', './', '/w/'],
    ['/w', '/', '/'],
    ['/', '.', '/'],
    ['/w', '/a/.', '/a/'],
    ['/w', '../..', '/'],
    ['/w', '/a//b/', '/a/b/'],
  ];
  for (const [folder, written, wanted] of cases) assert.equal(destinationPath(folder, written), wanted, written);
});

test('owners are numbers or names; a number alone is the group, too', () => {
  assert.deepEqual(parseOwner('1000'), { user: 1000, group: 1000 });
  assert.deepEqual(parseOwner('1000:0'), { user: 1000, group: 0 });
  assert.deepEqual(parseOwner('app'), { user: 'app' });
  assert.deepEqual(parseOwner('app:grp'), { user: 'app', group: 'grp' });
  assert.deepEqual(parseOwner('root'), { user: 0, group: 0 });
  assert.deepEqual(parseOwner('99999999999'), { user: '99999999999' });
});

test('COPY --chown and --chmod', async () => {
  const [action] = await copies('ENV U=app M=0750\nCOPY --chown=$U:9 --chmod=$M a /b');
  assert.deepEqual(action?.owner, { user: 'app', group: 9 });
  assert.equal(action?.mode, 0o750);
  assert.equal((await copies('COPY --chmod=u=rwX,go-w,a+x a /b'))[0]?.mode, 'u=rwX,go-w,a+x');
  for (const mode of ['8', '10000', '0o7', 'u', 'u~x', 'a=q', ',u+x'])
    await assert.rejects(copies(`COPY --chmod=${mode} a /b`), { code: 'DOCKERFILE_INSTRUCTION' }, mode);
});

test('COPY of inline files: expanded unless quoted, mode 0644', async () => {
  const actions = await copies("ENV A=1\nCOPY a <<x <<-'y' /d/\n$A \"it's\" \\$A\nx\n\t$A\ny");
  assert.equal(actions.length, 2);
  assert.partialDeepStrictEqual(actions[1], {
    from: {
      files: [
        { name: 'x', content: '1 "it\'s" $A\n', mode: 0o644 },
        { name: 'y', content: '$A\n', mode: 0o644 },
      ],
    },
    sources: ['/x', '/y'],
    destination: '/d/',
    wildcard: false,
    unpack: false,
  });
});

test('a COPY of inline files alone reads no source', async () => {
  const planned = await planText('FROM scratch\nCOPY <<a /b\n1\na');
  assert.equal(planned.image.root.edge?.vertex.inputs.length, 1);
  assert.equal(planned.host.solved.filter((source) => source.name === 'context').length, 1);
});

test('ADD unpacks', async () => {
  assert.equal((await copies('ADD a.tar.gz /b/'))[0]?.unpack, true);
});

test('the history of COPY and ADD has owners, modes and names, and no other flag', async () => {
  const planned = await planText(
    'FROM debian AS s\nFROM debian\nENV D=/d\nWORKDIR /w\nCOPY --from=s --chown=1:2 --chmod=755 a b $D/\nADD c .\nCOPY <<x e\n1\nx',
  );
  assert.deepEqual(history(planned), [
    'ENV D=/d',
    'WORKDIR /w',
    'COPY --chown=1:2 --chmod=755 a b /d/ # buildkit',
    'ADD c . # buildkit',
    'COPY <<x e # buildkit',
  ]);
});

test('WORKDIR makes the folder, owned by the user in force', async () => {
  const planned = await planText('FROM debian\nUSER app\nWORKDIR a\nWORKDIR ../b/./c', { epoch: 7 });
  const made = chain(planned.image.root)
    .slice(1)
    .map(({ op }) => (op as FileOp).actions[0] as MkdirAction);
  assert.deepEqual(made, [
    { kind: 'mkdir', path: '/a', mode: 0o755, parents: true, owner: { user: 'app' }, mtime: 7 },
    { kind: 'mkdir', path: '/b/c', mode: 0o755, parents: true, owner: { user: 'app' }, mtime: 7 },
  ]);
  assert.equal(planned.image.config.config?.WorkingDir, '/b/c');
});

test('WORKDIR / makes no layer', async () => {
  const planned = await planText('FROM debian\nWORKDIR /');
  assert.equal(planned.image.layers.length, 1);
  assert.deepEqual(planned.image.config.history?.at(-1), {
    created_by: 'WORKDIR /',
    comment: 'buildkit.dockerfile.v0',
    empty_layer: true,
  });
});

test('labels are those of BuildKit', async () => {
  const text = [
    'FROM debian AS build',
    'ENV DIR=/src NAME="a b"',
    'workdir $DIR',
    'RUN echo "$NAME" $UNSET \\',
    '  && true',
    'COPY "x" y $DIR/',
    ...Array.from({ length: 8 }, (_, index) => `RUN step ${index}`),
    'FROM scratch',
    'WORKDIR /',
    'COPY --from=build /a /b',
  ].join('\n');
  const { image } = await planText(text);
  const copied = image.root.edge?.vertex;
  assert.equal(copied?.label.name, '[stage-1 1/2] COPY --from=build /a /b');
  const names: string[] = [];
  for (let edge = copied?.inputs[1]; edge !== undefined; edge = edge.vertex.inputs[0])
    names.unshift(edge.vertex.label.name);
  assert.match(names[0] ?? '', /^\[build {2}1\/12\] FROM docker\.io\/library\/debian:latest@sha256:/);
  assert.deepEqual(names.slice(1, 4), [
    '[build  2/12] WORKDIR /src',
    '[build  3/12] RUN echo "a b" $UNSET   && true',
    '[build  4/12] COPY x y /src/',
  ]);
  assert.equal(names.at(-1), '[build 12/12] RUN step 7');
  assert.equal(copied?.label.group, 'stage-1');
  assert.deepEqual(copied?.label.place, {
    file: 'Dockerfile',
    line: 17,
    column: 1,
    endLine: 17,
    text: 'COPY --from=build /a /b',
  });
});

test('one stage alone has no name in its labels', async () => {
  assert.equal(label(await planText('FROM debian AS x\nRUN a')), '[2/2] RUN a');
});

test('no-cache marks the steps of all stages, or of those named', async () => {
  const ignored = async (value: string): Promise<readonly (boolean | undefined)[]> => {
    const { image } = await planText('FROM debian AS A\nRUN x\nFROM a AS b\nWORKDIR /w\nRUN y', {
      options: { 'no-cache': value },
    });
    const out: (boolean | undefined)[] = [];
    for (let edge = image.root.edge; edge !== undefined; edge = edge.vertex.inputs[0])
      out.unshift(edge.vertex.label.ignoreCache);
    return out;
  };
  assert.deepEqual(await ignored(''), [undefined, true, undefined, true]);
  assert.deepEqual(await ignored('A'), [undefined, true, undefined, undefined]);
  assert.deepEqual(await ignored('z,B'), [undefined, undefined, undefined, true]);
});

test('the same text gives the same digests, other text others', async () => {
  const digest = async (text: string): Promise<string | undefined> =>
    (await planText(text)).image.root.edge?.vertex.digest;
  const text = 'FROM debian\nENV A=1\nRUN x';
  assert.equal(await digest(text), await digest(`# a comment\n${text}`));
  assert.notEqual(await digest(text), await digest(text.replace('A=1', 'A=2')));
});

test('an image of an empty list of layers is scratch with a config', async () => {
  const empty = imageConfig({ Env: ['A=1'] }, { rootfs: { type: 'layers', diff_ids: [] }, history: [] });
  const { image } = await planText('FROM e\nCOPY a /b', { world: { images: { 'docker.io/library/e:latest': empty } } });
  assert.equal(image.layers.length, 1);
  assert.equal(image.layers[0]?.kind === 'step' && image.layers[0].before.isScratch, true);
  assert.ok(image.config.config?.Env?.includes('A=1'));
});
