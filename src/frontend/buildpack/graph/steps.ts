import type { Platform } from '../../../blob/index.ts';
import { sourceState, State, type ExecOp, type FileAction, type OpMount } from '../../../graph/index.ts';
import { escapeId, moduleFolder } from '../model/index.ts';
import type { GroupElement, ModuleDescriptor } from '../model/types.ts';
import type { Builder } from './builder.ts';
import type { BuildpackOptions } from './options.ts';

/** Where a `bin/detect` may write its plan. */
const PLAN_FOLDER = '/tmp/cnb-detect';
const PLAN_FILE = '/tmp/cnb-build/plan.toml';
const PLATFORM_FOLDER = '/platform';

/** What all steps of a build have in common. */
export interface StepSetting {
  readonly builder: Builder;
  readonly options: BuildpackOptions;
  readonly platform: Platform;
  /** A tree with /platform. */
  readonly platformTree: State;
}

/** A `bin/detect`: what it came to (graph's `Capture`), and a tree with the plan it left. What it writes elsewhere is dropped. */
export function detectStep(
  module: ModuleDescriptor,
  o: StepSetting & { readonly app: State; readonly env: readonly string[] },
): { readonly outcome: State; readonly plan: State } {
  const { builder, options } = o;
  const plan = emptyFolder(PLAN_FOLDER, builder, [
    { kind: 'mkfile', path: `${PLAN_FOLDER}/plan.toml`, mode: 0o644, content: '', owner: ownerOf(builder), mtime: 0 },
  ]);
  const mounts: OpMount[] = [
    { type: 'bind', target: '/', input: 0, readonly: false },
    { type: 'bind', target: options.appDir, source: options.appDir, input: 1, readonly: false },
    { type: 'bind', target: PLATFORM_FOLDER, source: PLATFORM_FOLDER, input: 2, readonly: true },
    { type: 'bind', target: PLAN_FOLDER, source: PLAN_FOLDER, input: 3, readonly: false, output: 1 },
    ...bindingMounts(options),
    ...secretMounts(module.id, options),
    ...volumeMounts(options, 4),
  ];
  const program = `${moduleFolder(module)}/bin/detect`;
  const op = execOf([program, PLATFORM_FOLDER, `${PLAN_FOLDER}/plan.toml`], mounts, o);
  const [outcome, left] = State.outputs(
    { ...op, capture: { output: 0, keep: [0, 100] } },
    [builder.state, o.app, o.platformTree, plan, ...volumeTrees(options)],
    {
      count: 2,
      label: {
        name: `[detect] ${module.id}@${module.version}`,
        group: 'detect',
        ignoreCache: !keepsSteps(module, options),
      },
    },
  );
  return { outcome: outcome!, plan: left! };
}

export const DETECT_PLAN = `${PLAN_FOLDER}/plan.toml`;
export const BUILD_PLAN = PLAN_FILE;

/** A `bin/build`: the app after it, and a tree with its `/layers/<id>`. It sees the layers of those before it and may write its own, and the app. */
export function buildStep(
  element: GroupElement,
  module: ModuleDescriptor,
  o: StepSetting & {
    readonly app: State;
    /** A tree with /layers and, in it, the folders of all buildpacks of the group. */
    readonly layers: State;
    /** A tree with this one's folder of layers, as restored. */
    readonly own: State;
    readonly env: readonly string[];
    readonly plan: string;
  },
): { readonly app: State; readonly own: State } {
  const { builder, options } = o;
  const folder = layersFolder(element.id);
  const mounts: OpMount[] = [
    { type: 'bind', target: '/', input: 0, readonly: false },
    { type: 'bind', target: options.appDir, source: options.appDir, input: 1, readonly: false, output: 0 },
    { type: 'bind', target: '/layers', source: '/layers', input: 2, readonly: true },
    { type: 'bind', target: folder, source: folder, input: 3, readonly: false, output: 1 },
    { type: 'bind', target: PLATFORM_FOLDER, source: PLATFORM_FOLDER, input: 4, readonly: true },
    ...bindingMounts(options),
    ...secretMounts(element.id, options),
    ...volumeMounts(options, 5),
  ];
  const op = execOf([`${moduleFolder(module)}/bin/build`, folder, PLATFORM_FOLDER, PLAN_FILE], mounts, o);
  const [app, own] = State.outputs(
    { ...op, files: [{ path: PLAN_FILE, content: o.plan, mode: 0o644 }] },
    [builder.state, o.app, o.layers, o.own, o.platformTree, ...volumeTrees(options)],
    {
      count: 2,
      label: {
        name: `[build] ${element.id}@${element.version}`,
        group: 'build',
        ignoreCache: !keepsSteps(module, options),
      },
    },
  );
  return { app: app!, own: own! };
}

/** A `bin/generate`: the tree with what it wrote into its folder. */
export function generateStep(
  module: ModuleDescriptor,
  o: StepSetting & {
    readonly app: State;
    readonly output: State;
    readonly folder: string;
    readonly env: readonly string[];
    readonly plan: string;
  },
): State {
  const { builder, options, folder } = o;
  const mounts: OpMount[] = [
    { type: 'bind', target: '/', input: 0, readonly: false },
    { type: 'bind', target: options.appDir, source: options.appDir, input: 1, readonly: false },
    { type: 'bind', target: PLATFORM_FOLDER, source: PLATFORM_FOLDER, input: 2, readonly: true },
    { type: 'bind', target: folder, source: folder, input: 3, readonly: false, output: 0 },
    ...bindingMounts(options),
    ...secretMounts(module.id, options),
  ];
  const op = execOf([`${moduleFolder(module)}/bin/generate`, folder, PLATFORM_FOLDER, PLAN_FILE], mounts, o);
  const [made] = State.outputs(
    { ...op, files: [{ path: PLAN_FILE, content: o.plan, mode: 0o644 }] },
    [builder.state, o.app, o.platformTree, o.output],
    {
      count: 1,
      label: {
        name: `[generate] ${module.id}@${module.version}`,
        group: 'generate',
        ignoreCache: !keepsSteps(module, options),
      },
    },
  );
  return made!;
}

/** Where a buildpack's layers lie. */
export function layersFolder(id: string): string {
  return `/layers/${escapeId(id)}`;
}

/** A folder of its own, owned by the builder's user, with what `actions` put there. */
export function emptyFolder(
  path: string,
  builder: Pick<Builder, 'uid' | 'gid'>,
  actions: readonly FileAction[] = [],
): State {
  const owner = ownerOf(builder);
  const made: FileAction = { kind: 'mkdir', path, mode: 0o755, parents: true, owner, mtime: 0 };
  return State.files({ actions: [made, ...actions] }, [], { name: `[internal] make ${path}`, internal: true });
}

export function ownerOf({ uid, gid }: Pick<Builder, 'uid' | 'gid'>): { user: number; group: number } {
  return { user: uid, group: gid };
}

/** True for one whose runs may be taken from the cache: it says so, or the asking side does. */
function keepsSteps(module: ModuleDescriptor, { stepCache, noCache }: BuildpackOptions): boolean {
  if (noCache) return false;
  if (stepCache !== 'auto') return stepCache === 'on';
  const own = module.metadata['strake'];
  return typeof own === 'object' && own !== null && (own as Record<string, unknown>)['step-cache'] === true;
}

function execOf(
  args: readonly string[],
  mounts: readonly OpMount[],
  o: StepSetting & { readonly env: readonly string[] },
): Omit<ExecOp, 'kind'> {
  const { builder, options, platform } = o;
  return {
    args,
    env: o.env,
    cwd: options.appDir,
    user: `${builder.uid}:${builder.gid}`,
    mounts,
    network: options.network,
    security: 'sandbox',
    isolated: true,
    proxyEnv: options.proxies.size > 0 ? [...options.proxies].map(([name, value]) => `${name}=${value}`) : undefined,
    platform,
  };
}

/** Files of service bindings, on a tmpfs each: they are in no tree. */
function bindingMounts({ bindings }: BuildpackOptions): OpMount[] {
  return [...bindings].flatMap(([name, files]) =>
    files.map((file): OpMount => ({
      type: 'secret',
      target: `${PLATFORM_FOLDER}/bindings/${name}/${file}`,
      id: `binding:${name}/${file}`,
      required: true,
      mode: 0o444,
      uid: 0,
      gid: 0,
    })),
  );
}

/** Folders of the asking side; their trees are the step's inputs from `first` on. */
function volumeMounts({ volumes }: BuildpackOptions, first: number): OpMount[] {
  return [...volumes.keys()].map((target, at) => ({
    type: 'bind',
    target,
    source: '/',
    input: first + at,
    readonly: true,
  }));
}

function volumeTrees({ volumes }: BuildpackOptions): State[] {
  return [...volumes].map(([target, name]) =>
    sourceState({ type: 'local', name }, { name: `[volume] load ${target}`, group: 'app' }),
  );
}

function secretMounts(buildpack: string, { secrets }: BuildpackOptions): OpMount[] {
  return secrets
    .filter((secret) => secret.buildpack === undefined || secret.buildpack === buildpack)
    .map(({ id }): OpMount => ({
      type: 'secret',
      target: `/run/secrets/${id}`,
      id,
      required: true,
      mode: 0o444,
      uid: 0,
      gid: 0,
    }));
}
