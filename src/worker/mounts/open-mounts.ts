import { kindOf, messageOf, type Wait } from '../../base/index.ts';
import type { Digest } from '../../blob/index.ts';
import type { StepMount } from '../../exec/index.ts';
import type { ExecOp, OpMount } from '../../graph/index.ts';
import type { ActiveSnapshot } from '../../snapshot/index.ts';
import type { BuildHost } from '../build-host.ts';
import { workerError } from '../errors.ts';
import type { LayerAccess, LayerService } from '../layer-service.ts';
import { chainId, type Ref, type RefLayer } from '../ref.ts';
import type { Session } from '../session.ts';
import type { Stage } from '../stage.ts';
import { openAgents } from './agents.ts';
import type { Ground } from '../ground/ground.ts';
import type { CacheSpec, TakenCache } from './cache-mounts.ts';
import { cacheMountKey } from './cache-service.ts';
import type { LooseTrees } from './loose-trees.ts';
import { openSecrets } from './secrets.ts';

type BindMount = Extract<OpMount, { type: 'bind' }>;
type CacheMount = Extract<OpMount, { type: 'cache' }>;

/** All that a step mounts but its root. The end of the scope gives it back; what was written to what is no output is thrown away. */
export interface OpenMounts extends AsyncDisposable {
  /** Parents before what lies in them. */
  readonly mounts: readonly StepMount[];
  readonly secretEnv: readonly string[];
  /** Mounted trees that become outputs. */
  readonly outputs: readonly {
    readonly output: number;
    readonly active: ActiveSnapshot;
    readonly below: readonly RefLayer[];
  }[];
}

export interface MountServices {
  readonly layers: LayerService;
  readonly stage: Stage;
  readonly loose: LooseTrees;
  readonly session: Session;
  readonly ground: Pick<Ground, 'caches' | 'oneRoot' | 'snapshotter'>;
  readonly host: Pick<BuildHost, 'secret' | 'agent'>;
  readonly access: LayerAccess;
  readonly note: (text: string) => void;
  /** What a cache of this key (`cacheMountKey`) held elsewhere. */
  readonly cacheMount?: ((key: Digest) => Promise<RefLayer | undefined>) | undefined;
}

/**
 * Gets ready what a step mounts. Caches come last, in one order for all steps, so that no two wait for each other. Throws `SECRET_NOT_GIVEN`, `SSH_NOT_GIVEN`, `MOUNT_SOURCE_MISSING`.
 */
export async function openMounts(op: ExecOp, inputs: readonly Ref[], s: MountServices): Promise<OpenMounts> {
  const { access, stage, layers } = s;
  const w: Wait = { signal: access.signal };
  const secrets = await openSecrets(op, s.host, w);
  const agents = await openAgents(op, s.host, w);
  await using stack = new AsyncDisposableStack();
  const mounts: StepMount[] = [...secrets.mounts, ...agents, ...scriptsOf(op)];
  const outputs: OpenMounts['outputs'][number][] = [];
  const root = rootOf(op);
  for (const mount of op.mounts) {
    if (mount.type === 'tmpfs') mounts.push({ type: 'tmpfs', target: mount.target, size: mount.size });
    if (mount.type !== 'bind' || mount === root) continue;
    const { target, source = '/', readonly, output } = mount;
    const { oneRoot, snapshotter } = s.ground;
    const ref = inputOf(mount.input, inputs);
    // A view of a ground with one root is a copy of its own.
    const how = (readonly && output === undefined) || oneRoot === true ? 'view' : 'prepare';
    if (ref.kind === 'files' && output === undefined) {
      const id = await s.loose.snapshotOf(ref.tree, { session: s.session, ...w });
      const tree = stack.use(await snapshotter[how](id, w));
      mounts.push({ type: 'tree', mounts: tree.mounts, source, target, readonly });
      continue;
    }
    const below = (await layers.stacked(ref, access)).layers;
    if (below.length === 0 && (readonly || output === undefined) && isWhole(source)) {
      mounts.push({ type: 'tmpfs', target, mode: 0o755, flags: readonly ? ['ro'] : [] });
      continue;
    }
    if (below.length === 0 && !isWhole(source)) throw empty(source, target);
    if (output !== undefined && oneRoot === true)
      throw workerError('STEP_NOT_SUPPORTED', `mount on "${target}" what is kept: this ground has one root only`);
    if (how === 'view') {
      const view = stack.use(await stage.view(below, access));
      mounts.push({ type: 'tree', mounts: view.mounts, source, target, readonly });
      continue;
    }
    const active = stack.use(await stage.prepare(below, access));
    mounts.push({ type: 'tree', mounts: active.mounts, source, target, readonly });
    if (output !== undefined) outputs.push({ output, active, below });
  }
  const caches = stack.use(await takeCaches(op, inputs, s));
  const all = [...mounts, ...caches.mounts].sort((a, b) => (a.target < b.target ? -1 : a.target > b.target ? 1 : 0));
  const scope = stack.move();
  return {
    mounts: all,
    secretEnv: secrets.env,
    outputs,
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
  };
}

/** The mount that is the step's root. */
export function rootOf(op: ExecOp): BindMount | undefined {
  return op.mounts.find((mount): mount is BindMount => mount.type === 'bind' && mount.target === '/');
}

async function takeCaches(
  op: ExecOp,
  inputs: readonly Ref[],
  s: MountServices,
): Promise<{ mounts: readonly StepMount[] } & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const wanted = new Map<string, { spec: CacheSpec; mounts: CacheMount[]; taken?: TakenCache }>();
  for (const mount of op.mounts) {
    if (mount.type !== 'cache') continue;
    const spec = await specOf(mount, inputs, { ...s, stack });
    const key = JSON.stringify([spec.id, spec.seed?.name, spec.seed?.source, spec.mode, spec.uid, spec.gid]);
    const known = wanted.get(key);
    if (known) known.mounts.push(mount);
    else wanted.set(key, { spec, mounts: [mount] });
  }
  const mounts: StepMount[] = [];
  for (const [, { spec, mounts: same }] of [...wanted].sort(([a], [b]) => (a < b ? -1 : 1))) {
    // Where a step has one cache at two places, it has it the stricter way.
    const sharing = (['locked', 'private'] as const).find((kind) => same.some((mount) => mount.sharing === kind));
    const asked = { ...spec, sharing: sharing ?? 'shared' } as const;
    const start = await startOf(spec, { ...s, stack });
    const taken = await s.ground.caches.take(start ? { ...asked, start } : asked, {
      signal: s.access.signal,
      onWait: () => s.note(`waiting for the cache mount "${spec.id}": another step has it`),
    });
    stack.use(taken);
    for (const { target, readonly } of same)
      mounts.push({ type: 'tree', mounts: taken.mounts, source: '/', target, readonly });
  }
  const scope = stack.move();
  return { mounts, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

async function specOf(
  mount: CacheMount,
  inputs: readonly Ref[],
  s: MountServices & { readonly stack: AsyncDisposableStack },
): Promise<CacheSpec> {
  const { id, sharing, mode, uid, gid, input, source = '/' } = mount;
  const layers = input === undefined ? [] : (await s.layers.stacked(inputOf(input, inputs), s.access)).layers;
  if (layers.length === 0 && isWhole(source)) return { id, sharing, mode, uid, gid };
  if (layers.length === 0) throw empty(source, mount.target);
  const view = s.stack.use(await s.stage.view(layers, s.access));
  return { id, sharing, mode, uid, gid, seed: { name: chainId(layers) ?? '', mounts: view.mounts, source } };
}

/** What a cache that is to be made now begins with: what caches elsewhere have of it. That it cannot be had is no reason to fail. */
async function startOf(
  spec: CacheSpec,
  s: MountServices & { readonly stack: AsyncDisposableStack },
): Promise<CacheSpec['start']> {
  if (spec.seed || !s.cacheMount || (await s.ground.caches.find(spec, s.access)) !== undefined) return undefined;
  const layer = await s.cacheMount(cacheMountKey(spec));
  if (!layer) return undefined;
  try {
    const view = s.stack.use(await s.stage.view([layer], s.access));
    s.note(`the cache mount "${spec.id}" begins with what it held elsewhere`);
    return { mounts: view.mounts };
  } catch (error) {
    if (kindOf(error) === 'cancelled') throw error;
    s.note(`the cache mount "${spec.id}" begins empty: ${messageOf(error)}`);
    return undefined;
  }
}

function isWhole(source: string): boolean {
  return /^[/.]*$/.test(source);
}

function empty(source: string, target: string): Error {
  return workerError(
    'MOUNT_SOURCE_MISSING',
    `mount "${source}" on "${target}": not found, nothing is in what it would come from`,
    {
      remedy: 'Name a stage, image or context that has it by "from", or leave "source" out.',
    },
  );
}

function inputOf(input: number, inputs: readonly Ref[]): Ref {
  const ref = inputs[input];
  if (!ref) throw workerError('STEP_MOUNT_INVALID', `mount input ${input} of a step: it has ${inputs.length} inputs`);
  return ref;
}

function scriptsOf(op: ExecOp): StepMount[] {
  return (op.files ?? []).map(({ path, content, mode }) => ({
    type: 'file',
    target: path,
    content: Buffer.from(content),
    mode,
    uid: 0,
    gid: 0,
  }));
}
