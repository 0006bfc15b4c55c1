import { posix } from 'node:path';
import { vertex, type Edge, type ExecOp, type FileAction, type OpMount, type Resources } from '../../../graph/index.ts';
import { cleanPath } from '../../../tree/index.ts';
import {
  CacheSharingOpt,
  MountContentCache,
  MountType,
  NetMode,
  SecurityMode,
  type ExecOp as WireExec,
  type LinuxResources,
  type Meta,
  type Mount,
  type ProxyEnv,
} from '../../gen/buildkit/ops_pb.ts';
import { edgeTo, indexOf, isScratch, numberOf, type DecodedOp, type OpContext, type Tree } from './wire-op.ts';

type CacheMount = Extract<OpMount, { type: 'cache' }>;

/** A process. Outputs count the mounts that have one, in order, as BuildKit does; that of a mount that is only read is what is mounted. */
export function decodeExec(exec: WireExec, resources: LinuxResources | undefined, c: OpContext): DecodedOp {
  const { meta } = exec;
  const { fail } = c;
  if (!meta) throw fail.invalid('meta', 'there is none');
  if (meta.args.length === 0) throw fail.invalid('meta.args', 'there are none');
  if (exec.cdiDevices.length > 0)
    throw fail.unsupported('cdiDevices', `device "${exec.cdiDevices[0]!.name}": devices are not supported`);
  const inputs = new Inputs(c, exec.mounts);
  const outputs: (Tree | number)[] = [];
  const mounts: OpMount[] = [];
  const files: NonNullable<ExecOp['files']>[number][] = [];
  let shmSize: number | undefined;
  for (const [index, mount] of exec.mounts.entries()) {
    const m = { mount, field: `mounts[${index}]`, target: targetOf(mount, meta), c, inputs };
    if (isShm(m.target, mount, index === exec.mounts.length - 1)) {
      shmSize = Number(mount.TmpfsOpt!.size);
      continue;
    }
    const file = ownFile(mount, c.inputs);
    if (file) files.push({ path: m.target, ...file });
    else mounts.push(decodeMount(m, outputs));
  }
  const roots = mounts.filter((mount) => mount.target === '/');
  if (roots.length !== 1) throw fail.invalid('mounts', roots.length === 0 ? 'none is the root' : 'two are the root');
  for (const [index, { ID, name, optional }] of exec.secretenv.entries()) {
    if (ID === '' || name === '') throw fail.invalid(`secretenv[${index}]`, 'it has no ID or no name');
    mounts.push({ type: 'secret', env: name, id: ID, required: !optional, mode: 0o400, uid: 0, gid: 0 });
  }
  const op: ExecOp = {
    kind: 'exec',
    args: meta.args,
    env: meta.env,
    cwd: meta.cwd || '/',
    user: meta.user,
    mounts,
    ...howToRun(exec, meta, c),
    shmSize,
    resources: resources && resourcesOf(resources, c),
    files: files.length === 0 ? undefined : files,
    platform: c.platform,
  };
  const made = vertex(op, inputs.edges, c.label);
  return {
    outputs: outputs.map((output) => (typeof output === 'number' ? { vertex: made, output } : output)),
    vertices: [made],
  };
}

/** The inputs of the vertex: the op's but for those that only say what a mount of ours says itself, and the empty tree where a mount wants one. An empty root comes first, another last. */
class Inputs {
  readonly edges: readonly Edge[];
  readonly #numbers = new Map<number, number>();
  readonly #c: OpContext;

  constructor(c: OpContext, mounts: readonly Mount[]) {
    this.#c = c;
    const wanting = mounts.filter((mount) => mount.input === -1n && mount.mountType === MountType.BIND);
    const edges: Edge[] = [];
    if (wanting.some((mount) => cleanPath(mount.dest) === '/')) edges.push(edgeTo(undefined));
    const told = new Set<number>();
    const used = new Set<number>();
    for (const mount of mounts) {
      const own = ownFile(mount, c.inputs) ?? ownFolder(mount, c.inputs);
      (own ? told : used).add(Number(mount.input));
    }
    for (const [index, tree] of c.inputs.entries())
      if (!told.has(index) || used.has(index)) this.#numbers.set(index, edges.push(edgeTo(tree)) - 1);
    if (wanting.some((mount) => cleanPath(mount.dest) !== '/')) edges.push(edgeTo(undefined));
    this.edges = edges;
  }

  /** The number of what a mount names, and what it is. */
  of(mount: Mount, field: string): { number: number; tree: Tree } {
    const { inputs, fail } = this.#c;
    const index = indexOf(mount.input, inputs.length, { field: `${field}.input`, fail });
    if (index !== undefined) return { number: this.#numbers.get(index)!, tree: inputs[index] };
    return { number: cleanPath(mount.dest) === '/' ? 0 : this.edges.length - 1, tree: undefined };
  }
}

interface MountContext {
  readonly mount: Mount;
  readonly field: string;
  readonly target: string;
  readonly c: OpContext;
  readonly inputs: Inputs;
}

/** Of the outputs, `outputs` gets one more where the mount has one: the number of it in the vertex, or a tree that is there already. */
function decodeMount(m: MountContext, outputs: (Tree | number)[]): OpMount {
  const { mount, field, target } = m;
  const { fail } = m.c;
  if (target === '/' && mount.mountType !== MountType.BIND) throw fail.invalid(field, 'the root is not of type bind');
  const kept = mount.output !== -1n;
  switch (mount.mountType) {
    case MountType.BIND: {
      const { number, tree } = m.inputs.of(mount, field);
      const passes = kept && mount.readonly && mount.input !== -1n && target !== '/';
      const output = kept && !passes ? outputs.length : undefined;
      if (kept) outputs.push(passes ? tree : output);
      const source = sourceOf(mount);
      const contentKey = contentKeyOf(m);
      return { type: 'bind', target, input: number, source, readonly: mount.readonly, output, contentKey };
    }
    case MountType.CACHE: {
      if (kept && mount.input !== -1n) outputs.push(m.inputs.of(mount, field).tree);
      return cacheMount(m);
    }
    case MountType.TMPFS: {
      const size = mount.TmpfsOpt ? numberOf(mount.TmpfsOpt.size, `${field}.TmpfsOpt.size`, fail) : 0;
      return { type: 'tmpfs', target, size: size || undefined };
    }
    case MountType.SECRET: {
      if (!mount.secretOpt || mount.secretOpt.ID === '') throw fail.invalid(`${field}.secretOpt`, 'it has no ID');
      const { ID: id, uid, gid, mode, optional } = mount.secretOpt;
      return { type: 'secret', target, id, required: !optional, mode: mode & 0o777, uid, gid };
    }
    case MountType.SSH: {
      if (!mount.SSHOpt) throw fail.invalid(`${field}.SSHOpt`, 'there is none');
      const { ID, uid, gid, mode, optional } = mount.SSHOpt;
      return { type: 'ssh', target, id: ID || 'default', required: !optional, mode: mode & 0o777, uid, gid };
    }
    default:
      throw fail.unsupported(`${field}.mountType`, `"${String(mount.mountType)}" is not known`);
  }
}

function cacheMount({ mount, field, target, c, inputs }: MountContext): CacheMount {
  const { ID = '', sharing = CacheSharingOpt.SHARED } = mount.cacheOpt ?? {};
  const how = (['shared', 'private', 'locked'] as const)[sharing];
  if (how === undefined) throw c.fail.unsupported(`${field}.cacheOpt.sharing`, `"${String(sharing)}" is not known`);
  const given = { type: 'cache', target, id: ID || mount.dest, sharing: how, readonly: mount.readonly } as const;
  const folder = ownFolder(mount, c.inputs);
  if (folder) return { ...given, ...folder };
  const { tree, number } = mount.input === -1n ? { tree: undefined, number: 0 } : inputs.of(mount, field);
  const source = sourceOf(mount);
  const plain = { mode: 0o755, uid: 0, gid: 0 };
  if (isScratch(tree) && source === undefined) return { ...given, ...plain };
  return { ...given, input: number, source, ...plain };
}

/** A folder that was made for a cache to begin with: how clients say its mode and owner. */
function ownFolder(mount: Mount, inputs: readonly Tree[]): { mode: number; uid: number; gid: number } | undefined {
  if (mount.mountType !== MountType.CACHE || mount.output !== -1n) return undefined;
  const action = onlyAction(mount, inputs);
  if (action?.kind !== 'mkdir') return undefined;
  const { user = 0, group = user } = action.owner ?? {};
  if (cleanPath(action.path) !== sourceOf(mount) || typeof user === 'string' || typeof group === 'string')
    return undefined;
  return { mode: action.mode & 0o777, uid: user, gid: group };
}

/** A text that was made for the step alone: how clients give it scripts. */
function ownFile(mount: Mount, inputs: readonly Tree[]): { content: string; mode: number } | undefined {
  const isRead = mount.mountType === MountType.BIND && mount.readonly && mount.output === -1n;
  const action = isRead ? onlyAction(mount, inputs) : undefined;
  if (action?.kind !== 'mkfile' || action.encoding !== undefined || action.owner || action.mtime !== undefined)
    return undefined;
  if (cleanPath(action.path) !== sourceOf(mount)) return undefined;
  return { content: action.content, mode: action.mode };
}

/** What a mount's tree is made by, where that is one action on nothing. */
function onlyAction(mount: Mount, inputs: readonly Tree[]): FileAction | undefined {
  const tree = inputs[Number(mount.input)];
  if (tree?.vertex.op.kind !== 'file') return undefined;
  const { op, inputs: on } = tree.vertex;
  return op.actions.length === 1 && on.length === 1 && isScratch(on[0]) ? op.actions[0] : undefined;
}

function contentKeyOf({ mount, field, c }: MountContext): 'on' | 'off' | undefined {
  const safe = mount.output === -1n || mount.readonly || sourceOf(mount) === undefined;
  switch (mount.contentCache) {
    case MountContentCache.DEFAULT:
      return undefined;
    case MountContentCache.ON:
      if (!safe) throw c.fail.invalid(`${field}.contentCache`, 'it cannot be on for a part of a tree that is kept');
      return 'on';
    case MountContentCache.OFF:
      return 'off';
    default:
      throw c.fail.unsupported(`${field}.contentCache`, `"${String(mount.contentCache)}" is not known`);
  }
}

function sourceOf({ selector }: Mount): string | undefined {
  const path = cleanPath(`/${selector}`);
  return path === '/' ? undefined : path;
}

function targetOf({ dest }: Mount, { cwd }: Meta): string {
  return posix.isAbsolute(dest) ? cleanPath(dest) : posix.join('/', cwd, dest);
}

/** The size of /dev/shm as frontends say it: a mount, the last one. */
function isShm(target: string, mount: Mount, last: boolean): boolean {
  return last && target === '/dev/shm' && mount.mountType === MountType.TMPFS && (mount.TmpfsOpt?.size ?? 0n) > 0n;
}

function howToRun(
  exec: WireExec,
  meta: Meta,
  { fail }: OpContext,
): Pick<
  ExecOp,
  'network' | 'security' | 'hostname' | 'extraHosts' | 'ulimits' | 'cgroupParent' | 'proxyEnv' | 'exitCodes'
> {
  const network = new Map<number, ExecOp['network']>([
    [NetMode.UNSET, 'default'],
    [NetMode.HOST, 'host'],
    [NetMode.NONE, 'none'],
  ]).get(exec.network);
  if (!network) throw fail.unsupported('network', `"${String(exec.network)}" is not known`);
  const security = new Map<number, ExecOp['security']>([
    [SecurityMode.SANDBOX, 'sandbox'],
    [SecurityMode.INSECURE, 'insecure'],
  ]).get(exec.security);
  if (!security) throw fail.unsupported('security', `"${String(exec.security)}" is not known`);
  const hosts = meta.extraHosts.map(({ Host: host, IP: ip }) => ({ host, ip }));
  const ulimits = meta.ulimit.map(({ Name: name, Soft, Hard }, index) => ({
    name,
    soft: numberOf(Soft, `meta.ulimit[${index}].Soft`, fail),
    hard: numberOf(Hard, `meta.ulimit[${index}].Hard`, fail),
  }));
  const proxyEnv = meta.proxyEnv ? proxyVariables(meta.proxyEnv) : [];
  const codes = meta.validExitCodes;
  const only0 = codes.length === 0 || (codes.length === 1 && codes[0] === 0);
  return {
    network,
    security,
    hostname: meta.hostname || undefined,
    extraHosts: hosts.length === 0 ? undefined : hosts,
    ulimits: ulimits.length === 0 ? undefined : ulimits,
    cgroupParent: meta.cgroupParent || undefined,
    proxyEnv: proxyEnv.length === 0 ? undefined : proxyEnv,
    exitCodes: only0 ? undefined : codes,
  };
}

/** In both cases, in BuildKit's order. */
function proxyVariables(proxy: ProxyEnv): readonly string[] {
  const { httpProxy, httpsProxy, ftpProxy, noProxy, allProxy } = proxy;
  return Object.entries({ httpProxy, httpsProxy, ftpProxy, noProxy, allProxy }).flatMap(([name, value]) => {
    const variable = name.replace('Proxy', '_proxy');
    return value === '' ? [] : [`${variable.toUpperCase()}=${value}`, `${variable}=${value}`];
  });
}

function resourcesOf(wire: LinuxResources, { fail }: OpContext): Resources | undefined {
  const number = (name: string, value: bigint): number | undefined =>
    value === 0n ? undefined : numberOf(value, `linux_resources.${name}`, fail);
  const resources: Resources = {
    memory: number('memory', wire.memory),
    memorySwap: number('memorySwap', wire.memorySwap),
    cpuShares: number('cpuShares', wire.cpuShares),
    cpuPeriod: number('cpuPeriod', wire.cpuPeriod),
    cpuQuota: number('cpuQuota', wire.cpuQuota),
    cpusetCpus: wire.cpusetCpus || undefined,
    cpusetMems: wire.cpusetMems || undefined,
  };
  return Object.values(resources).some((value) => value !== undefined) ? resources : undefined;
}
