import type { Random, Wait } from '../base/index.ts';
import type { Platform } from '../blob/index.ts';
import type { Looked, Process, Question } from '../exec/index.ts';
import type { ExecOp, OpMount } from '../graph/index.ts';
import type { FetchFor } from './access.ts';
import type { StepIo } from './build-host.ts';
import { checkAllowed } from './entitlements.ts';
import { workerError } from './errors.ts';
import type { LayerAccess, LayerService } from './layer-service.ts';
import type { LooseTrees } from './mounts/loose-trees.ts';
import { openMounts, rootOf } from './mounts/open-mounts.ts';
import { secretVariables, type SecretVariable } from './mounts/secrets.ts';
import type { PlatformCheck } from './platform-check.ts';
import type { Ref } from './ref.ts';
import type { Session } from './session.ts';
import type { Stage } from './stage.ts';
import { DEFAULT_HOSTNAME, DEFAULT_SHM } from './step-defaults.ts';
import { StepContainer } from './step-container.ts';
import { findUser, type UserFiles } from './users.ts';

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Mounts for processes that are no step. */
export interface ContainerMounts {
  /** `input` counts `refs`; outputs mean nothing. */
  readonly mounts: readonly OpMount[];
  readonly refs: readonly Ref[];
  readonly platform: Platform;
  readonly network: ExecOp['network'];
  readonly hostname?: string | undefined;
  readonly extraHosts?: ExecOp['extraHosts'];
}

/** A process of a container, as it is asked for. */
export interface WantedProcess extends StepIo {
  readonly args: readonly string[];
  readonly env?: readonly string[] | undefined;
  readonly secretEnv?: readonly SecretVariable[] | undefined;
  readonly cwd?: string | undefined;
  readonly user?: string | undefined;
  readonly security?: ExecOp['security'] | undefined;
  readonly terminal?: Process['terminal'];
}

/** A container that stands; it holds its session. */
export interface OpenContainer extends AsyncDisposable {
  run(process: WantedProcess, w?: Wait): Promise<number>;
  look(question: Question, w?: Wait): Promise<Looked | undefined>;
}

/** Containers for processes beside the graph: what frontends run, and people who look at what was built. */
export class Containers {
  readonly #o: {
    readonly layers: LayerService;
    readonly fetchFor: FetchFor;
    readonly stage: Stage;
    readonly random: Random;
    readonly loose: LooseTrees;
    readonly platforms: PlatformCheck;
  };

  constructor(o: {
    layers: LayerService;
    fetchFor: FetchFor;
    stage: Stage;
    random: Random;
    loose: LooseTrees;
    platforms: PlatformCheck;
  }) {
    this.#o = o;
  }

  /** Sets one up, which takes no slot of a step: steps may run for its processes. Throws what a step with these mounts would, and `STEP_NOT_SUPPORTED` where there is one root for all. */
  async open(
    wanted: ContainerMounts,
    o: { readonly session: Session; readonly note: (text: string) => void } & Wait,
  ): Promise<OpenContainer> {
    const { layers, stage, loose, random, platforms } = this.#o;
    const { session, note, signal } = o;
    const { mounts, refs, network, platform } = wanted;
    checkAllowed('set up a container', { network, security: 'sandbox' }, session.allow);
    const op: ExecOp = {
      kind: 'exec',
      args: [],
      env: [],
      cwd: '/',
      user: '',
      network,
      security: 'sandbox',
      platform,
      mounts,
    };
    const root = rootOf(op);
    const badRoot = mounts.find((mount) => mount.target === '/' && mount !== root);
    if (badRoot) throw workerError('STEP_MOUNT_INVALID', `mount a ${badRoot.type} on "/": a root is bound`);
    await platforms.check(platform, o);
    const access: LayerAccess = { fetch: this.#o.fetchFor(session), lost: session.lost, signal };
    await using scope = new AsyncDisposableStack();
    scope.use(session.hold());
    const ground = await stage.ground(o);
    if (ground.oneRoot === true)
      throw workerError(
        'STEP_NOT_SUPPORTED',
        `set up a container: the ground "${ground.name}" has room for steps only`,
        {
          remedy: 'Build where steps have namespaces of their own ("strake doctor" says what is missing).',
        },
      );
    const { layers: below } = root ? await layers.stacked(inputOf(root.input, refs), access) : { layers: [] };
    const active = scope.use(await stage.prepare(below, access));
    const { host, cacheMount } = session;
    const parts = { layers, stage, loose, session, ground, host, access, note, cacheMount };
    const opened = scope.use(await openMounts(op, refs, parts));
    const base: Process = {
      id: 'container',
      args: [],
      env: [],
      cwd: '/',
      user: { uid: 0, gid: 0, additionalGids: [] },
      hostname: wanted.hostname === undefined || wanted.hostname === '' ? DEFAULT_HOSTNAME : wanted.hostname,
      network,
      security: 'sandbox',
      extraHosts: wanted.extraHosts ?? [],
      ulimits: [],
      shmSize: DEFAULT_SHM,
      mounts: opened.mounts,
      readonlyRoot: root?.readonly,
    };
    const container = scope.use(
      new StepContainer({
        executor: ground.executor,
        root: active.mounts,
        base,
        random,
        connect: (id, w) => host.agent(id, w),
      }),
    );
    const whole = scope.move();
    const run = async (process: WantedProcess, w: Wait = {}): Promise<number> => {
      const { args, security = 'sandbox', terminal, cwd = '/' } = process;
      checkAllowed(`run "${args.join(' ')}"`, { network: 'none', security }, session.allow);
      const secretEnv = await secretVariables(process.secretEnv ?? [], host, w);
      const user = await findUser(process.user ?? '', () => userFiles(container, w));
      const env = envOf(process);
      const own = { args, env, secretEnv, cwd: cwd.startsWith('/') ? cwd : `/${cwd}`, user, security, terminal };
      return container.run(own, process, w);
    };
    return {
      run,
      look: (question, w) => container.look(question, w),
      [Symbol.asyncDispose]: () => whole.disposeAsync(),
    };
  }
}

function inputOf(input: number, refs: readonly Ref[]): Ref {
  const ref = refs[input];
  if (!ref)
    throw workerError('STEP_MOUNT_INVALID', `mount input ${input} of a container: it has ${refs.length} inputs`);
  return ref;
}

/** Each variable once, the last word counts; with what no program should be without. */
function envOf({ env = [], terminal }: WantedProcess): string[] {
  const nameOf = (entry: string): string => entry.slice(0, Math.max(0, entry.indexOf('=')));
  const all = [DEFAULT_PATH, ...(terminal ? ['TERM=xterm'] : []), ...env];
  return [...new Map(all.map((entry) => [nameOf(entry), entry])).values()];
}

const LIMIT = 1 << 20;

/** The files that name users, as they are now. */
async function userFiles(container: StepContainer, w: Wait): Promise<UserFiles> {
  const files = new Map<string, Uint8Array>();
  for (const path of ['/etc/passwd', '/etc/group']) {
    const found = await container.look({ kind: 'stat', path }, w);
    if (found?.entries[0]?.type !== 'file') continue;
    const { content } = (await container.look({ kind: 'read', path, limit: LIMIT }, w)) ?? {};
    if (content) files.set(path, content);
  }
  return {
    stat: (path) => (files.has(path) ? { entry: { type: 'file' } } : undefined),
    readFile: async (path) => files.get(path) ?? new Uint8Array(),
  };
}
