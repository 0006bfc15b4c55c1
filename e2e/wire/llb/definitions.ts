import { scratch, sourceState, State, type CopyAction, type ExecOp, type Source } from '../../../src/graph/index.ts';
import { encodeState } from '../../../src/wire/buildkit/index.ts';
import type { Definition } from '../../../src/wire/gen/buildkit/ops_pb.ts';
import type { World } from './world.ts';
import { copy, mkdir, mkfile, WireOps, type ExecInit, type MountInit, type Out } from './wire-ops.ts';

export interface DefinitionCase {
  readonly make: (world: World) => Definition;
  /** Why docker 28 does not run it: what is recorded is what the sources of BuildKit say. */
  readonly elsewhere?: string;
  /** Entitlements. */
  readonly allow?: readonly string[];
}

const platform = { os: 'linux', architecture: 'amd64' } as const;
const label = { name: 'a step' };
const COPY = { wildcard: false, parents: false, unpack: false, followDestination: true } as const;

const state = (make: (world: World) => State): DefinitionCase => ({
  make: (world) => encodeState(make(world)).definition,
});
const wire = (make: (ops: WireOps, world: World) => Out, more: Omit<DefinitionCase, 'make'> = {}): DefinitionCase => ({
  ...more,
  make: (world) => {
    const ops = new WireOps();
    return ops.end(make(ops, world));
  },
});

const baseOf = (world: World): State =>
  sourceState({ type: 'image', reference: world.image, platform, pull: 'missing' }, label);
const local = (world: World, more: Partial<Extract<Source, { type: 'local' }>> = {}): State => {
  void world;
  return sourceState({ type: 'local', name: 'context', ...more }, label);
};
const taken = (from: State, more: Partial<CopyAction> & Pick<CopyAction, 'sources' | 'destination'>): State =>
  scratch.file([{ ...COPY, kind: 'copy', from: { input: 1 }, ...more }], [from], label);

/** A shell script whose /out is the result. */
function ran(world: World, script: string, more: Partial<ExecOp> = {}, inputs: readonly State[] = []): State {
  const { mounts = [], ...rest } = more;
  const op: Omit<ExecOp, 'kind'> = {
    args: ['/bin/sh', '-euc', script],
    env: [],
    cwd: '/',
    user: '',
    network: 'default',
    security: 'sandbox',
    platform,
    mounts: [
      { type: 'bind', target: '/', input: 0, readonly: false, output: 0 },
      { type: 'bind', target: '/out', input: 1, readonly: false, output: 1 },
      ...mounts,
    ],
    ...rest,
  };
  return State.outputs(op, [baseOf(world), scratch, ...inputs], { count: 2, label })[1]!;
}

/** The same by hand. */
function shell(
  ops: WireOps,
  world: World,
  script: string,
  more: {
    meta?: object;
    mounts?: readonly MountInit[];
    inputs?: readonly Out[];
    exec?: object;
    metadata?: object;
  } = {},
): Out {
  const base = ops.source(`docker-image://${world.image}`);
  const exec = {
    meta: { args: ['/bin/sh', '-euc', script], cwd: '/', ...more.meta },
    mounts: [{ input: 0n, dest: '/', output: 0n }, { input: -1n, dest: '/out', output: 1n }, ...(more.mounts ?? [])],
    ...more.exec,
  } as ExecInit;
  return { ...ops.exec(exec, [base, ...(more.inputs ?? [])], more.metadata), index: 1 };
}

const NONE = { input: -1n, output: -1n } as const;

/** Definitions that have each op and each field (dockerfile facts: solver/pb/ops.proto), those of strake's own graphs and others by hand. Each ends in a small tree. */
export const DEFINITIONS: Readonly<Record<string, DefinitionCase>> = {
  // exec
  'exec: args, env, cwd, default PATH': state((w) =>
    ran(w, 'mkdir /out/d; echo "$PWD $A $PATH" > /out/said; umask; id -u > /out/id', { env: ['A=b c'], cwd: '/tmp' }),
  ),
  'exec: user by name': state((w) =>
    ran(w, 'echo "$(id -u):$(id -g)" > /tmp/x; cat /tmp/x', {
      user: 'daemon:games',
      mounts: [{ type: 'tmpfs', target: '/tmp' }],
    }).file([{ kind: 'mkfile', path: '/made', content: 'x', mode: 0o600 }], [], label),
  ),
  'exec: hostname, hosts, ulimit, shm size': state((w) =>
    ran(
      w,
      'hostname > /out/name; grep -c "1.2.3.4.*some.host" /etc/hosts > /out/hosts; ulimit -n > /out/files; df -k --output=size /dev/shm | tail -n 1 | tr -d " " > /out/shm',
      {
        hostname: 'given',
        extraHosts: [{ host: 'some.host', ip: '1.2.3.4' }],
        ulimits: [{ name: 'nofile', soft: 123, hard: 456 }],
        shmSize: 8 << 20,
      },
    ),
  ),
  'exec: network none': state((w) => ran(w, 'ls /sys/class/net > /out/net', { network: 'none' })),
  'exec: network host': {
    ...state((w) =>
      ran(w, 'ip=$(cat /proc/net/dev | wc -l); test "$ip" -gt 2; echo yes > /out/net', { network: 'host' }),
    ),
    allow: ['network.host'],
  },
  'exec: security insecure': {
    ...state((w) =>
      ran(w, 'mount -t tmpfs none /mnt; echo mounted > /out/x', {
        security: 'insecure',
      }),
    ),
    allow: ['security.insecure'],
    elsewhere: 'its configuration grants nobody that',
  },
  'exec: proxies': state((w) =>
    ran(w, 'env | grep -i proxy | sort > /out/env', {
      proxyEnv: ['HTTP_PROXY=http://a', 'http_proxy=http://a', 'NO_PROXY=b', 'no_proxy=b'],
    }),
  ),
  'exec: resources': state((w) => ran(w, 'echo ran > /out/x', { resources: { memory: 256 << 20, cpuShares: 512 } })),
  'exec: scripts': state((w) =>
    ran(w, '/dev/pipes/EOF; ls -A /dev/pipes > /out/pipes', {
      files: [{ path: '/dev/pipes/EOF', content: '#!/bin/sh\necho "$0" > /out/zero\n', mode: 0o755 }],
    }),
  ),
  'exec: the root as result, what was mounted leaves no trace': state((w) =>
    taken(
      baseOf(w).exec(
        {
          args: ['/bin/sh', '-euc', 'mkdir /mine; cp /in/file /mine/; ls -d /c /in /tfs > /mine/there; rm -r /opt'],
          env: [],
          cwd: '/',
          user: '',
          network: 'default',
          security: 'sandbox',
          platform,
          mounts: [
            { type: 'bind', target: '/', input: 0, readonly: false, output: 0 },
            { type: 'bind', target: '/in', input: 1, source: '/dir', readonly: true },
            {
              type: 'cache',
              target: '/c',
              id: w.unique,
              sharing: 'shared',
              readonly: false,
              mode: 0o755,
              uid: 0,
              gid: 0,
            },
            { type: 'tmpfs', target: '/tfs', size: 1 << 20 },
          ],
        },
        [local(w)],
        label,
      ),
      { sources: ['/mine', '/opt*', '/c*', '/in*', '/tfs*'], destination: '/', wildcard: true, parents: false },
    ),
  ),
  'exec: mounts of a part, written to, kept': state((w) => {
    const op = {
      args: ['/bin/sh', '-euc', 'echo more >> /a/file; echo lost > /b/file; cat /c/file; ! touch /c/x; touch /b/new'],
      env: [],
      cwd: '/',
      user: '',
      network: 'default',
      security: 'sandbox',
      platform,
      mounts: [
        { type: 'bind', target: '/', input: 0, readonly: false, output: 0 },
        { type: 'bind', target: '/a', input: 1, readonly: false, output: 1 },
        { type: 'bind', target: '/b', input: 1, readonly: false },
        { type: 'bind', target: '/c', input: 1, source: '/', readonly: true },
      ],
    } as const;
    return State.outputs(op, [baseOf(w), taken(local(w), { sources: ['/dir'], destination: '/' })], {
      count: 2,
      label,
    })[1]!;
  }),
  'exec: a part of a tree, written to and kept': wire((ops, w) => {
    const context = ops.source('local://context');
    const tree = ops.file([copy('/dir', '/dir', { from: 0, output: 0 })], [context]);
    const base = ops.source(`docker-image://${w.image}`);
    const exec = ops.exec(
      {
        meta: { args: ['/bin/sh', '-euc', 'echo more >> /a/file; touch /a/new'], cwd: '/' },
        mounts: [
          { input: 0n, dest: '/', output: 0n },
          { input: 1n, selector: 'dir', dest: 'a', output: 1n },
        ],
      },
      [base, tree],
    );
    return { ...exec, index: 1 };
  }),
  'exec: cache with mode and owner, twice': state((w) => {
    const cache = {
      type: 'cache',
      target: '/c',
      id: `${w.unique}-own`,
      sharing: 'locked',
      readonly: false,
      mode: 0o750,
      uid: 5,
      gid: 6,
    } as const;
    const first = ran(w, 'stat -c "%a %u:%g" /c > /out/stat; echo kept > /c/x', { mounts: [cache] });
    return ran(
      w,
      'cat /c/x /first/stat > /out/read; ls /c > /out/list',
      { mounts: [cache, { type: 'bind', target: '/first', input: 2, readonly: true }] },
      [first],
    );
  }),
  'exec: cache that begins with a tree': state((w) =>
    ran(
      w,
      'cat /c/file > /out/read',
      {
        mounts: [
          {
            type: 'cache',
            target: '/c',
            id: `${w.unique}-seed`,
            sharing: 'private',
            input: 2,
            source: '/dir',
            readonly: false,
            mode: 0o755,
            uid: 0,
            gid: 0,
          },
        ],
      },
      [taken(local(w), { sources: ['/'], destination: '/' })],
    ),
  ),
  'exec: tmpfs, its size': state((w) =>
    ran(w, 'df -k --output=size /mnt | tail -n 1 | tr -d " " > /out/size; stat -c %a /mnt > /out/mode', {
      mounts: [{ type: 'tmpfs', target: '/mnt', size: 2 << 20 }],
    }),
  ),
  'exec: secrets as file and as variable': state((w) =>
    ran(
      w,
      'cat /run/s > /out/file; printf %s "$WORD" > /out/variable; stat -c "%a %u:%g" /run/s > /out/stat; test ! -e /run/no; test -z "${NO-}"',
      {
        mounts: [
          { type: 'secret', target: '/run/s', id: 'word', required: true, mode: 0o440, uid: 3, gid: 4 },
          { type: 'secret', target: '/run/no', id: 'absent', required: false, mode: 0o400, uid: 0, gid: 0 },
          { type: 'secret', env: 'WORD', id: 'word', required: true, mode: 0o400, uid: 0, gid: 0 },
          { type: 'secret', env: 'NO', id: 'absent', required: false, mode: 0o400, uid: 0, gid: 0 },
        ],
      },
    ),
  ),
  'exec: an agent that is not there': state((w) =>
    ran(w, 'test ! -S /run/agent; echo none > /out/agent', {
      mounts: [{ type: 'ssh', target: '/run/agent', id: 'absent', required: false, mode: 0o600, uid: 0, gid: 0 }],
    }),
  ),
  'exec: a root that is only read': wire((ops, w) => {
    const base = ops.source(`docker-image://${w.image}`);
    return ops.exec(
      {
        meta: { args: ['/bin/sh', '-euc', '! touch /x 2>/dev/null; echo read > /out/x'], cwd: '/' },
        mounts: [
          { input: 0n, dest: '/', output: -1n, readonly: true },
          { input: -1n, dest: '/out', output: 0n },
        ],
      },
      [base],
    );
  }),
  'exec: how it ends is a result': state((w) => {
    const op = {
      args: ['/bin/sh', '-euc', 'echo said; id -u; test ! -e /x; touch /kept/x; exit 3'],
      env: [],
      cwd: '/tmp',
      user: 'games',
      network: 'default',
      security: 'sandbox',
      platform,
      mounts: [
        { type: 'bind', target: '/', input: 0, readonly: false },
        { type: 'bind', target: '/kept', input: 1, readonly: false, output: 1 },
      ],
      capture: { output: 0, keep: [3] },
    } as const;
    const kept = scratch.file(
      [{ kind: 'mkdir', path: '/in', mode: 0o777, parents: false, owner: { user: 5 } }],
      [],
      label,
    );
    const inside = { ...op, mounts: [op.mounts[0], { ...op.mounts[1], source: '/in' }] } as const;
    const [outcome, left] = State.outputs(inside, [baseOf(w), kept], { count: 2, label });
    return scratch.file(
      [
        {
          ...COPY,
          kind: 'copy',
          from: { input: 1 },
          sources: ['/status', '/output'],
          destination: '/',
          owner: { user: 0 },
        },
        { ...COPY, kind: 'copy', from: { input: 2 }, sources: ['/in'], destination: '/left' },
      ],
      [outcome!, left!],
      label,
    );
  }),
  'exec: exit codes that are no failure': wire((ops, w) =>
    shell(ops, w, 'echo ran > /out/x; exit 7', { meta: { validExitCodes: [0, 7] } }),
  ),
  'exec: content of mounts in the key or not, result ids': wire((ops, w) => {
    const context = ops.source('local://context');
    return shell(ops, w, 'cat /a/file /b/file > /out/x', {
      inputs: [context, context],
      mounts: [
        { input: 1n, selector: '/dir', dest: '/a', output: -1n, readonly: true, contentCache: 1, resultID: 'r' },
        { input: 2n, selector: '/dir', dest: '/b', output: -1n, readonly: true, contentCache: 2 },
      ],
    });
  }),
  'exec: mount stubs removed with their folders': wire((ops, w) => {
    const base = ops.source(`docker-image://${w.image}`);
    const exec = ops.exec(
      {
        meta: { args: ['/bin/sh', '-euc', 'mkdir -p /deep/er; true'], cwd: '/', removeMountStubsRecursive: true },
        mounts: [
          { input: 0n, dest: '/', output: 0n },
          { ...NONE, dest: '/srv/a/b/c', mountType: 4 },
        ],
      },
      [base],
    );
    return ops.file([copy('/srv', '/srv', { from: 0, output: 0 })], [exec]);
  }),
  'exec: a mount that is only read has itself for a result': wire((ops, w) => {
    const tree = ops.file([mkfile('/t', 'tree', { output: 0 })]);
    const base = ops.source(`docker-image://${w.image}`);
    const exec = ops.exec(
      {
        meta: { args: ['true'], cwd: '/' },
        mounts: [
          { input: 0n, dest: '/', output: 0n },
          { input: 1n, dest: '/m', output: 1n, readonly: true },
        ],
      },
      [base, tree],
    );
    return { ...exec, index: 1 };
  }),

  // file
  'file: every action': state(() =>
    scratch.file(
      [
        { kind: 'mkdir', path: '/a/b', mode: 0o750, parents: true, owner: { user: 3, group: 4 }, mtime: 86_400 },
        { kind: 'mkdir', path: '/plain', mode: 0o1755, parents: false },
        {
          kind: 'mkfile',
          path: '/a/b/text',
          mode: 0o640,
          content: 'text é\n',
          owner: { user: 7 },
          mtime: 1000,
          mtimeNs: 5,
        },
        {
          kind: 'mkfile',
          path: '/bytes',
          mode: 0o644,
          content: Buffer.from([0xff, 0, 1, 0xfe]).toString('base64'),
          encoding: 'base64',
        },
        { kind: 'mkfile', path: '/gone', mode: 0o644, content: '' },
        { kind: 'mkfile', path: '/gone-too', mode: 0o644, content: '' },
        { kind: 'mkfile', path: '/kept', mode: 0o644, content: 'first' },
        { kind: 'mkfile', path: '/kept', mode: 0o600, content: 'second' },
        { kind: 'remove', path: '/gone*', wildcard: true, missingOk: false },
        { kind: 'remove', path: '/never', wildcard: false, missingOk: true },
      ],
      [],
      label,
    ),
  ),
  'file: a link': wire((ops) =>
    ops.file([
      {
        input: -1n,
        secondaryInput: -1n,
        output: 0n,
        action: {
          case: 'symlink',
          value: {
            oldpath: '../to',
            newpath: '/link',
            owner: { user: { user: { case: 'byID', value: 5 } } },
            timestamp: 5_000_000_000n,
          },
        },
      },
    ]),
  ),
  'file: owners by name': state((w) =>
    taken(
      baseOf(w).file(
        [
          { kind: 'mkfile', path: '/own/a', mode: 0o644, content: 'a', owner: { user: 'daemon' } },
          { kind: 'mkfile', path: '/own/b', mode: 0o644, content: 'b', owner: { user: 'daemon', group: 'games' } },
          { kind: 'mkfile', path: '/own/c', mode: 0o644, content: 'c', owner: { user: 'nobody-here', group: 9 } },
        ].flatMap((file) =>
          file.path === '/own/a'
            ? [{ kind: 'mkdir', path: '/own', mode: 0o755, parents: true } as const, file as never]
            : [file as never],
        ),
        [],
        label,
      ),
      { sources: ['/own'], destination: '/' },
    ),
  ),
  'file: owners by name in another input': wire((ops, w) => {
    const base = ops.source(`docker-image://${w.image}`);
    const tree = ops.file([mkfile('/x', 'x', { output: 0 })]);
    const owner = {
      user: { user: { case: 'byName', value: { name: 'games', input: 1n } } },
      group: { user: { case: 'byName', value: { name: 'daemon', input: 1n } } },
    } as const;
    return ops.file([mkfile('/y', 'y', { input: 0, output: 0, owner })], [tree, base]);
  }),
  'file: copies of folders, their contents or themselves': wire((ops) => {
    const context = ops.source('local://context');
    return ops.file(
      [
        mkdir('/there', { input: -1 }),
        copy('/dir', '/there', { input: 1, from: 0 }),
        copy('/dir', '/there', { input: 2, from: 0, dirCopyContents: false }),
        copy('/dir', '/new', { input: 3, from: 0, dirCopyContents: false }),
        copy('/dir/file', '/there/', { input: 4, from: 0 }),
        copy('/dir/file', '/made/by/name', { input: 5, from: 0, output: 0 }),
      ],
      [context],
    );
  }),
  'file: copies of links, followed or not': wire((ops) => {
    const context = ops.source('local://context');
    return ops.file(
      [
        copy('/link', '/followed', { from: 0 }),
        copy('/link', '/as-link', { input: 1, from: 0, followSymlink: false }),
        copy('/lin*', '/all/', { input: 2, from: 0, followSymlink: false, output: 0 }),
      ],
      [context],
    );
  }),
  'file: wildcards, with none to match too': state((w) =>
    taken(local(w), { sources: ['/d?r/f*', '/nothing*'], destination: '/to/', wildcard: true }),
  ),
  'file: modes, times and owners of copies': state((w) =>
    scratch.file(
      [
        {
          ...COPY,
          kind: 'copy',
          from: { input: 1 },
          sources: ['/dir'],
          destination: '/octal',
          mode: 0o2750,
          owner: { user: 11, group: 12 },
          mtime: 77,
        },
        {
          ...COPY,
          kind: 'copy',
          from: { input: 1 },
          sources: ['/dir'],
          destination: '/symbolic',
          mode: 'u=rw,go-w,a+X',
        },
        { ...COPY, kind: 'copy', from: { input: 1 }, sources: ['/run.sh'], destination: '/plain' },
      ],
      [local(w)],
      label,
    ),
  ),
  'file: patterns to include and exclude': state((w) =>
    scratch.file(
      [
        {
          ...COPY,
          kind: 'copy',
          from: { input: 1 },
          sources: ['/'],
          destination: '/in',
          include: ['dir/**', '!dir/sub'],
          exclude: ['**/*.log'],
        },
        { ...COPY, kind: 'copy', from: { input: 1 }, sources: ['/'], destination: '/out', exclude: ['dir', '*.gz'] },
        {
          ...COPY,
          kind: 'copy',
          from: { input: 1 },
          sources: ['/dir/./sub/x'],
          destination: '/parents',
          parents: true,
        },
      ],
      [local(w)],
      label,
    ),
  ),
  'file: archives unpacked': state((w) =>
    taken(local(w), {
      sources: ['/archive.tar.gz', '/run.sh'],
      destination: '/to/',
      unpack: true,
      owner: { user: 8, group: 9 },
    }),
  ),
  'file: what is there is replaced': wire((ops) => {
    const context = ops.source('local://context');
    return ops.file(
      [
        mkdir('/x/dir', { makeParents: true }),
        mkfile('/x/run.sh/', '', { input: 1, path: '/x/sub' }),
        copy('/run.sh', '/x/dir', { input: 2, from: 0, alwaysReplaceExistingDestPaths: true }),
        copy('/dir', '/x', { input: 3, from: 0, alwaysReplaceExistingDestPaths: true, output: 0 }),
      ],
      [context],
    );
  }),
  'file: copies of what earlier actions made, several outputs': wire((ops) => {
    const made = ops.file([
      mkfile('/one', '1'),
      mkfile('/two', '2', { input: 0, output: 1 }),
      mkdir('/to', { output: -1 }),
      copy('/two', '/to/copied', { input: 2, from: 1, output: 0 }),
    ]);
    return ops.op({ case: 'merge', value: { inputs: [{ input: 0n }, { input: 1n }] } }, [made, { ...made, index: 1 }]);
  }),
  'file: text of the plan, entries picked': state((w) =>
    scratch.file(
      [
        {
          ...COPY,
          kind: 'copy',
          from: { files: [{ name: 'EOF', content: 'hello\n', mode: 0o644 }] },
          sources: ['/EOF'],
          destination: '/said/',
          owner: { user: 2, group: 2 },
        },
        {
          kind: 'pick',
          from: { input: 1 },
          trees: ['/dir/sub'],
          entries: ['/dir', '/run.sh'],
          except: ['/dir/sub/x.log'],
          owner: { user: 21, group: 22 },
        },
      ],
      [taken(local(w), { sources: ['/'], destination: '/' })],
      label,
    ),
  ),

  // merge, diff
  'merge: laid over each other, with what is removed': state((w) => {
    const one = scratch.file(
      [
        { kind: 'mkfile', path: '/a', mode: 0o644, content: '1' },
        { kind: 'mkfile', path: '/gone', mode: 0o644, content: '' },
      ],
      [],
      label,
    );
    const two = one.file(
      [
        { kind: 'remove', path: '/gone', wildcard: false, missingOk: false },
        { kind: 'mkfile', path: '/a', mode: 0o644, content: '2' },
      ],
      [],
      label,
    );
    const change = State.diff(one, two, label);
    void w;
    const other = scratch.file(
      [
        { kind: 'mkfile', path: '/gone', mode: 0o644, content: 'other' },
        { kind: 'mkfile', path: '/b', mode: 0o644, content: 'b' },
      ],
      [],
      label,
    );
    return State.merge([other, change], label);
  }),
  'diff: what a process changed': state((w) => {
    const base = baseOf(w);
    const after = base.exec(
      {
        args: ['/bin/sh', '-euc', 'mkdir /new; echo x > /new/file; chmod 700 /opt; rm -r /srv'],
        env: [],
        cwd: '/',
        user: '',
        network: 'none',
        security: 'sandbox',
        platform,
        mounts: [{ type: 'bind', target: '/', input: 0, readonly: false, output: 0 }],
      },
      [],
      label,
    );
    return State.diff(base, after, label);
  }),
  'diff: from nothing, and of what is no child': wire((ops) => {
    const one = ops.file([
      mkfile('/same', 's', { timestamp: 1_000_000_000n }),
      mkfile('/one', '1', { input: 0, output: 0 }),
    ]);
    const two = ops.file([
      mkfile('/same', 's', { timestamp: 1_000_000_000n }),
      mkfile('/two', '2', { input: 0, output: 0 }),
    ]);
    const between = ops.op({ case: 'diff', value: { lower: { input: 0n }, upper: { input: 1n } } }, [one, two]);
    const whole = ops.op({ case: 'diff', value: { lower: { input: -1n }, upper: { input: 0n } } }, [between]);
    return ops.op({ case: 'merge', value: { inputs: [{ input: 0n }, { input: 1n }] } }, [
      ops.file([mkfile('/low', 'l', { output: 0 })]),
      whole,
    ]);
  }),

  // sources
  'source: local with patterns': state(() =>
    taken(local({} as World, { include: ['dir', 'run.sh'], exclude: ['**/*.log'] }), {
      sources: ['/'],
      destination: '/',
    }),
  ),
  'source: local, only what paths need': state(() =>
    taken(local({} as World, { follow: ['link'] }), { sources: ['/'], destination: '/' }),
  ),
  'source: local with all that hints': wire((ops) =>
    ops.file(
      [copy('/dir/file', '/', { from: 0, output: 0 })],
      [ops.source('local://context', { 'local.sharedkeyhint': 'x', 'local.unique': 'y', 'local.differ': 'none' })],
    ),
  ),
  'source: a file of the web': state((w) =>
    sourceState({ type: 'http', url: `${w.web}/file.txt`, filename: 'named', mode: 0o640 }, label),
  ),
  'source: a file of the web, its owner, digest and headers': wire((ops, w) =>
    ops.source(`${w.web}/file.txt`, {
      'http.checksum': w.webDigest,
      'http.uid': '5',
      'http.gid': '6',
      'http.perm': '0755',
      'http.header.accept': 'text/plain',
    }),
  ),
  'source: git': state((w) =>
    taken(sourceState({ type: 'git', url: w.git, ref: 'main' }, label), {
      sources: ['/'],
      destination: '/',
      mode: 0o644,
    }),
  ),
  'source: git, a folder at a commit': state((w) =>
    taken(
      sourceState({ type: 'git', url: w.git, ref: w.commit, subdir: 'sub', checksum: w.commit.slice(0, 8) }, label),
      { sources: ['/'], destination: '/' },
    ),
  ),
  'source: git with its folder': state((w) =>
    taken(sourceState({ type: 'git', url: w.git, ref: 'v1', keepGitDir: true, submodules: false }, label), {
      sources: ['/.git/HEAD', '/README'],
      destination: '/to/',
    }),
  ),
  'source: an image of a layout': state((w) =>
    sourceState({ type: 'oci-layout', store: 'small', digest: w.small, platform }, label),
  ),
  'source: an image, the lowest of its layers': wire((ops, w) =>
    ops.source(`oci-layout://local/small@${w.small}`, { 'oci.store': 'small', 'oci.layerlimit': '1' }),
  ),
  'build: a definition that a step made': wire((ops, w) => {
    const inner = new WireOps();
    const text = inner.end(inner.file([mkfile('/inner', 'i', { output: 0 })]));
    const holds = ops.file([mkfile('/def', '', { output: 0, data: w.encoded(text) })]);
    return ops.op(
      {
        case: 'build',
        value: {
          builder: -1n,
          inputs: { 'buildkit.llb.definition': { input: 0n } },
          attrs: { 'llbbuild.filename': 'def' },
        },
      },
      [holds],
    );
  }),
  passthrough: wire(
    (ops) =>
      ops.op({ case: 'passthrough', value: { id: 'p', outputs: [0n] } }, [
        ops.file([mkfile('/p', 'p', { output: 0 })]),
      ]),
    { elsewhere: 'it knows no passthrough' },
  ),
};
