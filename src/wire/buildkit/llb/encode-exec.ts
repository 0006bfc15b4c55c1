import type { ExecOp, OpMount, Resources } from '../../../graph/index.ts';
import {
  CacheSharingOpt,
  ExecOpSchema,
  LinuxResourcesSchema,
  MetaSchema,
  MountContentCache,
  MountSchema,
  MountType,
  NetMode,
  ProxyEnvSchema,
  SecretEnvSchema,
  SecurityMode,
  type ExecOp as WireExec,
  type LinuxResources,
  type Mount,
  type ProxyEnv,
} from '../../gen/buildkit/ops_pb.ts';
import { create, type MessageInitShape } from '../../grpc/index.ts';

/** Where an exec op gets what it mounts from. */
export interface ExecInputs {
  /** Of the vertex's inputs, the numbers of the wire op's; -1 for the empty tree. */
  readonly numbers: readonly number[];
  /** A further input: a file alone in a tree. */
  file(file: { readonly name: string; readonly data: Uint8Array; readonly mode: number }): number;
  /** A further input: the program that keeps how another one ends. Throws `LLB_UNSUPPORTED` where there is none for the platform. */
  captureProgram(): number;
  /** A further input: the files that it writes, the user's own. */
  captured(): number;
  /** A further input: a folder alone in a tree. */
  folder(folder: { readonly name: string; readonly mode: number; readonly uid: number; readonly gid: number }): number;
}

/** What a vertex's outputs are on the wire. */
export interface EncodedExec {
  readonly exec: WireExec;
  /** Our output numbers, in the order of the wire's; undefined for one that is none of ours. */
  readonly outputs: readonly (number | undefined)[];
}

export const FILE = 'file';
/** Of the step's root. One name each, as BuildKit removes what it makes for a mount, but not the folders above. */
const PROGRAM = '/.strake-capture';
const CAPTURED = '/.strake-captured';
const FOLDER = 'cache';

/** A process as BuildKit runs it. `isolated` is what it always is there. How it ends (`capture`) is kept by a program that starts it; which ends BuildKit keeps on record cannot be said. */
export function encodeExec(op: ExecOp, inputs: ExecInputs): EncodedExec {
  const outputs: (number | undefined)[] = [];
  const mounts: Mount[] = op.mounts.flatMap((mount) => {
    const made = mountOf(mount, inputs, outputs);
    return made ? [create(MountSchema, made)] : [];
  });
  for (const { path, content, mode } of op.files ?? []) {
    const input = BigInt(inputs.file({ name: FILE, data: Buffer.from(content), mode }));
    mounts.push(create(MountSchema, { ...BIND, input, selector: `/${FILE}`, dest: path, readonly: true }));
  }
  if (op.shmSize !== undefined)
    mounts.push(
      create(MountSchema, {
        ...NONE,
        mountType: MountType.TMPFS,
        dest: '/dev/shm',
        TmpfsOpt: { size: BigInt(op.shmSize) },
      }),
    );
  if (op.capture) {
    const [program, captured] = [inputs.captureProgram(), inputs.captured()].map(BigInt);
    mounts.push(create(MountSchema, { ...BIND, input: program!, selector: `/${FILE}`, dest: PROGRAM, readonly: true }));
    const output = BigInt(outputs.push(op.capture.output) - 1);
    mounts.push(create(MountSchema, { ...BIND, input: captured!, dest: CAPTURED, output }));
  }
  const secretenv = op.mounts.flatMap((mount) =>
    mount.type === 'secret' && mount.env !== undefined
      ? [create(SecretEnvSchema, { ID: mount.id, name: mount.env, optional: !mount.required })]
      : [],
  );
  const meta = create(MetaSchema, {
    args: op.capture ? [PROGRAM, CAPTURED, ...op.args] : [...op.args],
    env: [...op.env],
    cwd: op.cwd,
    user: op.user,
    hostname: op.hostname ?? '',
    cgroupParent: op.cgroupParent ?? '',
    removeMountStubsRecursive: true,
    extraHosts: (op.extraHosts ?? []).map(({ host: Host, ip: IP }) => ({ Host, IP })),
    ulimit: (op.ulimits ?? []).map(({ name: Name, soft, hard }) => ({ Name, Soft: BigInt(soft), Hard: BigInt(hard) })),
    validExitCodes: [...(op.exitCodes ?? [])],
    ...(op.proxyEnv ? { proxyEnv: proxyOf(op.proxyEnv) } : {}),
  });
  const network = { default: NetMode.UNSET, host: NetMode.HOST, none: NetMode.NONE }[op.network];
  const security = { sandbox: SecurityMode.SANDBOX, insecure: SecurityMode.INSECURE }[op.security];
  return { exec: create(ExecOpSchema, { meta, mounts, network, security, secretenv }), outputs };
}

const NONE = { input: -1n, output: -1n } as const;
const BIND = { output: -1n, mountType: MountType.BIND } as const;

type MountInit = MessageInitShape<typeof MountSchema>;

/** Undefined for what is no mount: a secret that is a variable alone. */
function mountOf(mount: OpMount, inputs: ExecInputs, outputs: (number | undefined)[]): MountInit | undefined {
  const dest = mount.target;
  switch (mount.type) {
    case 'bind': {
      const { input, source = '', readonly, output, contentKey } = mount;
      // A root that is not kept could not be written to at all there.
      const kept = output !== undefined || (mount.target === '/' && !readonly);
      const number = kept ? BigInt(outputs.push(output) - 1) : -1n;
      const contentCache = { on: MountContentCache.ON, off: MountContentCache.OFF, default: MountContentCache.DEFAULT }[
        contentKey ?? 'default'
      ];
      return {
        ...BIND,
        input: BigInt(inputs.numbers[input] ?? -1),
        selector: source,
        dest: mount.target,
        readonly,
        output: number,
        contentCache,
      };
    }
    case 'cache':
      return cacheOf(mount, inputs);
    case 'tmpfs':
      return { ...NONE, mountType: MountType.TMPFS, dest: mount.target, TmpfsOpt: { size: BigInt(mount.size ?? 0) } };
    case 'secret': {
      const { id: ID, uid, gid, mode, required } = mount;
      if (dest === undefined) return undefined;
      return { ...NONE, mountType: MountType.SECRET, dest, secretOpt: { ID, uid, gid, mode, optional: !required } };
    }
    default: {
      const { id: ID, uid, gid, mode, required } = mount;
      return {
        ...NONE,
        mountType: MountType.SSH,
        dest: mount.target,
        SSHOpt: { ID, uid, gid, mode, optional: !required },
      };
    }
  }
}

function cacheOf(mount: Extract<OpMount, { type: 'cache' }>, inputs: ExecInputs): MountInit {
  const { target: dest, id: ID, readonly, input, source = '', mode, uid, gid } = mount;
  const sharing = {
    shared: CacheSharingOpt.SHARED,
    private: CacheSharingOpt.PRIVATE,
    locked: CacheSharingOpt.LOCKED,
  }[mount.sharing];
  const plain = mode === 0o755 && uid === 0 && gid === 0;
  const own = input === undefined && !plain;
  const number = own
    ? inputs.folder({ name: FOLDER, mode, uid, gid })
    : input === undefined
      ? -1
      : (inputs.numbers[input] ?? -1);
  return {
    mountType: MountType.CACHE,
    input: BigInt(number),
    output: -1n,
    selector: own ? `/${FOLDER}` : source,
    dest,
    readonly,
    cacheOpt: { ID, sharing },
  };
}

/** Of two spellings of a variable BuildKit makes both. */
function proxyOf(variables: readonly string[]): ProxyEnv {
  const value = (name: string): string =>
    variables.find((variable) => variable.toLowerCase().startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
  return create(ProxyEnvSchema, {
    httpProxy: value('http_proxy'),
    httpsProxy: value('https_proxy'),
    ftpProxy: value('ftp_proxy'),
    noProxy: value('no_proxy'),
    allProxy: value('all_proxy'),
  });
}

export function encodeResources(resources: Resources): LinuxResources {
  const { memory = 0, memorySwap = 0, cpuShares = 0, cpuPeriod = 0, cpuQuota = 0 } = resources;
  return create(LinuxResourcesSchema, {
    memory: BigInt(memory),
    memorySwap: BigInt(memorySwap),
    cpuShares: BigInt(cpuShares),
    cpuPeriod: BigInt(cpuPeriod),
    cpuQuota: BigInt(cpuQuota),
    cpusetCpus: resources.cpusetCpus ?? '',
    cpusetMems: resources.cpusetMems ?? '',
  });
}
