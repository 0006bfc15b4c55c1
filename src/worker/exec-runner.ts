import { canonicalJson, CodedError, kindOf, messageOf, type Clock, type Json, type Random } from '../base/index.ts';
import { digestOf } from '../blob/index.ts';
import type { Executor, Process, ProcessIo } from '../exec/index.ts';
import type { Ground } from './ground/index.ts';
import type { ActiveSnapshot } from '../snapshot/index.ts';
import type { ExecOp, OpMount } from '../graph/index.ts';
import type { CacheKey, InputKey, OpRunner, StepContext } from '../solve/index.ts';
import { memoryTree, writeLayer, type Mount } from '../tree/index.ts';
import { accessOf, type FetchFor } from './access.ts';
import { Captured } from './captured.ts';
import { checkAllowed } from './entitlements.ts';
import { workerError } from './errors.ts';
import { execParts } from './key-parts.ts';
import { failedStep } from './failed-step.ts';
import { KeptFailure } from './kept-failure.ts';
import type { LayerService } from './layer-service.ts';
import type { LooseTrees } from './mounts/loose-trees.ts';
import { openMounts, rootOf } from './mounts/open-mounts.ts';
import type { PlatformCheck } from './platform-check.ts';
import type { Ref, RefLayer } from './ref.ts';
import type { Session } from './session.ts';
import type { Stage } from './stage.ts';
import { DEFAULT_HOSTNAME, DEFAULT_SHM } from './step-defaults.ts';
import { memoryKills, stepFailure } from './step-failure.ts';
import { survivalKey } from './survival-key.ts';
import { findUser } from './users.ts';

/** Processes in roots: what RUN comes to. */
export class ExecRunner implements OpRunner<ExecOp, Ref, Session> {
  readonly #layers: LayerService;
  readonly #fetchFor: FetchFor;
  readonly #stage: Stage;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #platforms: PlatformCheck;
  readonly #loose: LooseTrees;

  constructor(o: {
    layers: LayerService;
    fetchFor: FetchFor;
    stage: Stage;
    clock: Clock;
    random: Random;
    platforms: PlatformCheck;
    loose: LooseTrees;
  }) {
    this.#layers = o.layers;
    this.#fetchFor = o.fetchFor;
    this.#stage = o.stage;
    this.#clock = o.clock;
    this.#random = o.random;
    this.#platforms = o.platforms;
    this.#loose = o.loose;
  }

  /** Everything of the op but the proxies and the limits. What is not allowed is refused here, cached or not. The root goes by its recipe; what is only read, by content too. */
  async cacheKey(op: ExecOp, context: StepContext<Session>): Promise<CacheKey> {
    checkEntitled(op, context.host.allow);
    const { proxyEnv: _proxies, resources: _limits, cgroupParent: _parent, ...identity } = op;
    const root = rootOf(op);
    const inputs: InputKey[] = context.vertex.inputs.map((_, input) => {
      const mounts = op.mounts.filter((mount) => 'input' in mount && mount.input === input);
      // What is written to and kept goes by its recipe; all else has no effect but by what is read of it.
      const isRead = (mount: OpMount): boolean =>
        mount.type === 'cache' ||
        (mount.type === 'bind' &&
          (mount.contentKey ?? (mount !== root && mount.output === undefined ? 'on' : 'off')) === 'on');
      if (mounts.length === 0 || !mounts.every(isRead)) return { by: 'recipe' };
      const paths = mounts.map((mount) => ('source' in mount ? (mount.source ?? '/') : '/'));
      return { by: 'recipe-then-content', select: { selections: [{ paths, follow: true }] } };
    });
    return {
      digest: digestOf(canonicalJson({ exec: identity as unknown as Json })),
      inputs,
      get parts() {
        return execParts(identity, context.vertex);
      },
    };
  }

  async run(op: ExecOp, inputs: readonly Ref[], context: StepContext<Session>): Promise<readonly Ref[]> {
    const access = accessOf(context, this.#fetchFor);
    const { host } = context.host;
    await this.#platforms.check(op.platform, { signal: context.signal });
    const rootMount = rootOf(op);
    const root = await this.#layers.stacked(inputs[rootMount?.input ?? 0], access);
    const below = root.layers;
    const user = await findUser(op.user, () => this.#layers.viewOf(root, access));
    const ground = await this.#stage.ground({ signal: context.signal });
    if (op.isolated && ground.oneRoot)
      throw workerError(
        'STEP_NOT_ISOLATED',
        `run "${op.args.join(' ')}": nothing is isolated on the ground "${ground.name}"`,
        {
          remedy:
            'Build where steps have namespaces of their own ("strake doctor" says what is missing). In a plain container, use a builder whose lifecycle is strake\'s: "strake lifecycle".',
        },
      );
    const key = ground.survivors && survivalKey(op, inputs, context);
    const done = key === undefined ? undefined : await this.#finishSurvivor(key, { ground, context });
    await using rooted = new AsyncDisposableStack();
    const active = rooted.use(done ?? (await this.#stage.prepare(below, access)));
    if (done) return await this.#commit([{ output: rootMount?.output ?? 0, active, below, first: true }], context);
    await using opened = await openMounts(op, inputs, {
      layers: this.#layers,
      stage: this.#stage,
      loose: this.#loose,
      session: context.host,
      ground,
      host,
      access,
      note: (text) => context.note(text),
      cacheMount: context.host.cacheMount,
    });
    const process: Process = {
      id: `step-${this.#random.hex(8)}`,
      args: op.args,
      env: [...op.env, ...(op.proxyEnv ?? [])],
      secretEnv: opened.secretEnv,
      cwd: op.cwd,
      user,
      hostname: op.hostname ?? DEFAULT_HOSTNAME,
      network: op.network,
      security: op.security,
      extraHosts: op.extraHosts ?? [],
      ulimits: op.ulimits ?? [],
      shmSize: op.shmSize ?? DEFAULT_SHM,
      mounts: opened.mounts,
      readonlyRoot: rootMount?.readonly,
      limits: op.resources,
    };
    const killedBefore = memoryKills();
    const captured = op.capture && new Captured();
    const say = (stream: 'stdout' | 'stderr') => (chunk: Uint8Array) => {
      captured?.add(chunk);
      return context.log(stream, chunk);
    };
    const code = await ground.executor.run(process, {
      root: active.mounts,
      io: {
        stdout: say('stdout'),
        stderr: say('stderr'),
        connect: (id, w) => host.agent(id, w),
      },
      survive: key === undefined ? undefined : { key, root: ground.survivors?.rootOf(active) ?? '' },
      signal: context.signal,
    });
    if (!captured && !(op.exitCodes ?? [0]).includes(code)) {
      const failure = stepFailure(op.args, { code, killedBefore, killedAfter: memoryKills() });
      await this.#show(process, { context, failure, executor: ground.executor, root: active.mounts });
      if (context.host.keepsFailures !== true || ground.oneRoot === true) throw failure;
      context.host.keep(rooted.move());
      throw this.#kept(failure, { op, inputs, active, below, context });
    }
    const outputs = opened.outputs.map((output) => ({ ...output, first: false }));
    if (rootMount?.output !== undefined) outputs.push({ output: rootMount.output, active, below, first: true });
    const results = await this.#commit(outputs, context);
    if (op.capture && captured) {
      if (!op.capture.keep.includes(code)) context.unkept();
      const tree = captured.tree(code);
      const { diffId } = await writeLayer(tree, { store: this.#layers.store, dialect: 'oci', signal: context.signal });
      results[op.capture.output] = { kind: 'layers', layers: [{ diffId, createdAt: this.#clock.now() }] };
    }
    return results;
  }

  async #commit(
    outputs: readonly {
      readonly output: number;
      readonly active: ActiveSnapshot;
      readonly below: readonly RefLayer[];
      /** The root. */
      readonly first: boolean;
    }[],
    context: StepContext<Session>,
  ): Promise<Ref[]> {
    const results: Ref[] = [];
    for (const { output, active, below, first } of outputs) {
      const layer = await this.#stage.commit(active, below, {
        codec: first ? context.host.codecFor(context.vertex.digest) : undefined,
        onProgress: (bytes) => context.progress({ item: 'layer', current: bytes, unit: 'bytes' }),
        signal: context.signal,
      });
      results[output] = { kind: 'layers', layers: [...below, { diffId: layer, createdAt: this.#clock.now() }] };
    }
    return results;
  }

  /** The failure with what the step left, which is the session's from now on. */
  #kept(
    failure: CodedError,
    o: {
      readonly op: ExecOp;
      readonly inputs: readonly Ref[];
      readonly active: ActiveSnapshot;
      readonly below: readonly RefLayer[];
      readonly context: StepContext<Session>;
    },
  ): Error {
    const { op, inputs, active, below, context } = o;
    const session = context.host;
    const layer = (diffId: RefLayer['diffId']): RefLayer => {
      session.spare(diffId);
      return { diffId, createdAt: this.#clock.now() };
    };
    const cause = new KeptFailure({
      vertex: context.vertex,
      op,
      inputs,
      root: async () => ({
        kind: 'layers',
        layers: [...below, layer(await this.#stage.commit(active, below, {}))],
      }),
      file: async (index, w = {}) => {
        const { content, mode } = op.files?.[index] ?? { content: '', mode: 0o644 };
        const tree = memoryTree({ file: { content, mode, mtime: 0, mtimeNs: 0 } });
        const { diffId } = await writeLayer(tree, { store: this.#layers.store, dialect: 'oci', ...w });
        return { kind: 'layers', layers: [layer(diffId)] };
      },
    });
    const { code, kind, message, remedy } = failure;
    return new CodedError({ code, kind, message, remedy, cause });
  }

  /** The root of this step, written by a process that outlived the build which started it; undefined when there is none, or it failed: what it lacked may have been that build. */
  async #finishSurvivor(
    key: string,
    o: { readonly ground: Ground; readonly context: StepContext<Session> },
  ): Promise<ActiveSnapshot | undefined> {
    const { context } = o;
    const w = { signal: context.signal };
    const step = await o.ground.survivors?.claim(key, w);
    if (!step) return undefined;
    context.note('this step was found running: a build that was killed had started it');
    const io: ProcessIo = {
      stdout: (chunk) => context.log('stdout', chunk),
      stderr: (chunk) => context.log('stderr', chunk),
    };
    let kept = false;
    try {
      await using _ = step;
      const code = await step.finish(io, w);
      kept = code === 0;
      if (!kept) context.note(`it ended with exit code ${code}: it is run anew`);
    } finally {
      if (!kept) await step.active[Symbol.asyncDispose]();
    }
    return kept ? step.active : undefined;
  }

  /** Lets the asking side look at what failed, where it wants to. */
  async #show(
    process: Process,
    o: {
      readonly context: StepContext<Session>;
      readonly failure: Error;
      readonly executor: Executor;
      readonly root: readonly Mount[];
    },
  ): Promise<void> {
    const { context, failure } = o;
    const { host } = context.host;
    if (!host.failed || !(await context.stopOthers(failure))) return;
    const connect: NonNullable<ProcessIo['connect']> = (id, w) => host.agent(id, w);
    const step = failedStep(process, { ...o, connect, vertex: context.vertex, random: this.#random });
    try {
      await host.failed(step, { signal: context.signal });
    } catch (error) {
      if (kindOf(error) === 'cancelled' && context.signal?.aborted) throw error;
      context.note(`look at the failed step: ${messageOf(error)}`);
    }
  }
}

function checkEntitled(op: ExecOp, allow: ReadonlySet<string>): void {
  if (op.cgroupParent !== undefined)
    throw workerError(
      'STEP_NOT_SUPPORTED',
      `run "${op.args.join(' ')}" below control group "${op.cgroupParent}": not supported yet`,
      {
        remedy: 'Leave the option out, or start strake itself in that group.',
      },
    );
  checkAllowed(`run "${op.args.join(' ')}"`, op, allow);
}
