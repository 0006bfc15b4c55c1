import { type Clock, kindOf, messageOf, type Random, throwIfCancelled, type Wait } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import {
  type Companion,
  type Frontend,
  type FrontendRequest,
  isChain,
  type Plan,
  type PlannedImage,
} from '../frontend/index.ts';
import type { Op, State } from '../graph/index.ts';
import { hostPlatform } from '../image/index.ts';
import { type BuildHistory, type BuildOutcome, BuildTrace, type SolveEvent } from '../solve/index.ts';
import type { AttestationWishes, Statement } from '../supply/index.ts';
import {
  type BuildHost,
  chainId,
  explainFull,
  type LayersRef,
  type RefLayer,
  type Session,
  type Solving,
  type Worker,
} from '../worker/index.ts';
import { toBuildEvent } from './build-event.ts';
import type { BuildEvent, BuildInput, BuildRequest, BuildResult, ExportRequest, ImageMetadata } from './builder.ts';
import type { BuiltImage } from './built-image.ts';
import { BuildCaches } from './cache/index.ts';
import { checkAttestations, checkIndex, checkRequest } from './check-request.ts';
import { engineError } from './errors.ts';
import { EventQueue } from './event-queue.ts';
import { codecOf, exportAll } from './export/index.ts';
import { finishConfig } from './finish-config.ts';
import { EngineFrontendHost } from './frontend-host.ts';
import { oneStep } from './planned-image.ts';
import { RegistryNotices } from './registry-notices.ts';
import { cacheCodecOf, insecureOf } from './request-targets.ts';
import { vetOf } from './vet-sources.ts';

export interface BuildParts {
  readonly worker: Worker;
  readonly frontends: Readonly<Record<string, Frontend>>;
  readonly history: BuildHistory;
  readonly clock: Clock;
  readonly random: Random;
  /** Who asks may look at failed steps until the plan is made. */
  readonly keepsFailures?: boolean | undefined;
}

type Request = BuildRequest & ImageMetadata;

/** One build from request to result: plan, solve, finish, export. Data goes down once and comes up as one stream of events. */
export async function* runBuild(
  parts: BuildParts,
  request: Request,
  host: BuildHost,
  w: Wait = {},
): AsyncIterable<BuildEvent> {
  throwIfCancelled(w);
  checkRequest(request);
  const events = new EventQueue();
  const controller = new AbortController();
  const signal = w.signal ? AbortSignal.any([w.signal, controller.signal]) : controller.signal;
  const work = new Build(parts, request, host, (event) => events.push(event)).run({ signal }).then(
    () => events.end(),
    (error: unknown) => events.end({ error: explainFull(error, parts.worker.store.folder) }),
  );
  try {
    yield* events;
  } finally {
    events.leave();
    controller.abort(engineError('BUILD_LEFT', 'the build was left'));
    await work;
  }
}

class Build {
  readonly #parts: BuildParts;
  readonly #request: Request;
  readonly #emit: (event: BuildEvent) => void | Promise<void>;
  readonly #session: Session;
  readonly #notices: RegistryNotices;
  readonly #caches: BuildCaches;
  /** Vertices whose layers a target wants compressed. */
  readonly #wanted = new Set<Digest>();
  /** Vertices that need a ground when they run, and of these the ones that do. */
  readonly #grounded = new Set<Digest>();
  readonly #began: number;
  readonly #started = new Set<Digest>();
  /** Vertices that are not told of. */
  readonly #hidden = new Set<Digest>();
  #groundTold = false;
  #trace: BuildTrace | undefined;
  #epoch: number | undefined;
  #wishes: AttestationWishes = {};

  constructor(parts: BuildParts, request: Request, host: BuildHost, emit: (event: BuildEvent) => void | Promise<void>) {
    this.#parts = parts;
    this.#request = request;
    this.#emit = emit;
    this.#epoch = request.epoch;
    this.#began = parts.clock.now();
    this.#notices = new RegistryNotices((event) => this.#tell(event), parts.clock);
    const codec = request.exports.map(codecOf).find((found) => found !== undefined);
    const cacheCodec = cacheCodecOf(request);
    this.#session = parts.worker.openSession({
      id: parts.random.hex(16),
      host,
      allow: new Set(request.allow),
      insecure: insecureOf(request),
      vet: vetOf(request),
      notice: (text) => this.#notices.tell(text),
      // Compressing while a layer is written is free only where it will be needed as it is: an epoch may rewrite it first.
      codecFor: (vertex) =>
        (this.#wanted.has(vertex) && this.#epoch === undefined && !request.squash ? codec : undefined) ?? cacheCodec,
      offers: (layers) => this.#caches.offers(layers),
      cacheMount: (key) => this.#caches.mountOf(key),
      lost: (compressed) => this.#caches.lose(compressed),
      keepsFailures: parts.keepsFailures,
    });
    const emitNow = (event: BuildEvent): void => this.#tell(event);
    this.#caches = new BuildCaches({ ...parts, request, session: this.#session, emit: emitNow });
  }

  async run(w: { signal: AbortSignal }): Promise<void> {
    using notices = this.#notices;
    void notices;
    await using session = this.#session;
    try {
      await this.#readWishes();
      await this.#attempts(session, w);
      record(this.#trace, 'done');
    } catch (error) {
      record(this.#trace, kindOf(error) === 'cancelled' ? 'cancelled' : 'failed');
      throw error;
    }
  }

  async #attempts(session: Session, w: { signal: AbortSignal }): Promise<void> {
    try {
      return await this.#attempt(session, w);
    } catch (error) {
      if (!this.#caches.forsake(error)) throw error;
    }
    await this.#attempt(session, w);
  }

  async #attempt(session: Session, w: { signal: AbortSignal }): Promise<void> {
    const { worker, history, clock } = this.#parts;
    const { project } = this.#request;
    this.#trace = project && new BuildTrace({ history, project, clock });
    await using solving = worker.solver.open({
      host: session,
      emit: (event) => this.#forward(event),
      remote: this.#caches.open(w),
      trace: this.#trace,
      anew: this.#request.anew,
      signal: w.signal,
    });
    await using asked = this.#frontendHost(solving, w);
    const plan = await this.#plan(asked, { signal: solving.signal });
    if (plan.results.size === 0) {
      const metadata = Object.fromEntries(
        [...plan.metadata].map(([key, value]) => [key, Buffer.from(value).toString()]),
      );
      this.#tell({ kind: 'result', at: clock.now(), result: { images: [], metadata } });
      return;
    }
    const index = plan.results.size > 1 || plan.metadata.has('multi.platform');
    if (index) checkIndex(this.#request, [...plan.results.keys()]);
    this.#epoch ??= epochOf(plan);
    const built = await allOf([...plan.results.values()].map((image) => this.#solve(solving, image)));
    const exported = { signal: solving.signal };
    const statements = await this.#statements(built, asked, { signal: solving.signal });
    const cached = built.map((image, at) => ({
      ...image,
      config: this.#caches.inline(image, solving),
      statements: statements[at] ?? [],
    }));
    const result = await this.#export(cached, { ...exported, index });
    const more = await this.#caches.export(cached, solving, exported);
    for (const companion of plan.companions ?? []) await this.#keep(solving, companion);
    this.#tell({ kind: 'result', at: clock.now(), result: { ...result, metadata: { ...result.metadata, ...more } } });
  }

  /** What is to be said about the images; what is wrong with that is said before anything has run. */
  async #readWishes(): Promise<void> {
    const { options } = this.#request;
    if (!Object.keys(options).some((name) => /^(?:attest:|build-arg:BUILDKIT_ATTEST_)/.test(name))) return;
    const { attestationWishes } = await import('../supply/index.ts');
    this.#wishes = attestationWishes(options);
    checkAttestations(this.#request, this.#wishes);
  }

  /** What is to be said about each image. */
  async #statements(
    built: readonly BuiltImage[],
    { asked }: EngineFrontendHost,
    w: { signal: AbortSignal },
  ): Promise<readonly (readonly Statement[])[]> {
    const own = built.some(({ plan }) => plan.attestations.length > 0);
    if (!own && !this.#wishes.provenance && !this.#wishes.sbom) return [];
    const { makeStatements } = await import('./attest/make-statements.ts');
    return makeStatements(built, {
      ...this.#parts,
      ...w,
      wishes: this.#wishes,
      request: this.#request,
      session: this.#session,
      started: this.#began,
      asked,
    });
  }

  /** Writes what is kept beside the results. */
  async #keep(solving: Solving, { image, to, name }: Companion): Promise<void> {
    const target: ExportRequest = { type: to, names: [name] };
    try {
      const built = await this.#solve(solving, image);
      const only: Request = { ...this.#request, exports: [target], annotations: [] };
      await this.#export([built], { index: false, signal: solving.signal, request: only, beside: `keeping ${name}` });
    } catch (error) {
      if (kindOf(error) === 'cancelled') throw error;
      const warning = { code: 'COMPANION_NOT_KEPT', message: `keep "${name}": ${messageOf(error)}` };
      this.#tell({ kind: 'warning', at: this.#parts.clock.now(), warning });
    }
  }

  #frontendHost(solving: Solving, w: { signal: AbortSignal }): EngineFrontendHost {
    return new EngineFrontendHost({
      worker: this.#parts.worker,
      solving,
      signal: w.signal,
      session: this.#session,
      clock: this.#parts.clock,
      frontends: this.#parts.frontends,
      emit: (event) => this.#tell(event),
    });
  }

  async #plan(host: EngineFrontendHost, w: { signal: AbortSignal }): Promise<Plan> {
    return this.#planOf(this.#request, host, { ...w, epoch: this.#request.epoch });
  }

  /** Plans a build after what it takes as inputs, which are part of it. */
  async #planOf(
    request: BuildInput,
    host: EngineFrontendHost,
    o: { signal: AbortSignal; epoch: number | undefined },
  ): Promise<Plan> {
    const { frontends } = this.#parts;
    const { frontend, options, platforms, inputs = {} } = request;
    const plan = Object.hasOwn(frontends, frontend) ? frontends[frontend] : undefined;
    if (!plan)
      throw engineError('FRONTEND_UNKNOWN', `build with frontend "${frontend}": there is no such frontend`, {
        remedy: `Use one of: ${Object.keys(frontends).join(', ')}.`,
      });
    const images = new Map<string, PlannedImage>();
    for (const [name, input] of Object.entries(inputs)) {
      const { results } = await this.#planOf(input, host, o);
      for (const [platform, image] of results) {
        images.set(`${name}::${platform}`, image);
        if (results.size === 1) images.set(name, image);
      }
    }
    const native = hostPlatform(process);
    const asked: FrontendRequest = {
      options,
      platforms: platforms.length > 0 ? platforms : [native],
      buildPlatform: native,
      epoch: o.epoch,
    };
    return plan(asked, images.size > 0 ? host.withInputs(images) : host, { signal: o.signal });
  }

  /** Solves an image's root, which holds its layers; where they do not simply lie on top of each other, what is before and after each of them. */
  async #solve(solving: Solving, image: PlannedImage): Promise<BuiltImage> {
    for (const layer of image.layers)
      if (layer.kind === 'step' && layer.after.edge) this.#wanted.add(layer.after.edge.vertex.digest);
    const w = { signal: solving.signal };
    const { layers: root } = await this.#layersOf(solving, image.root);
    const steps = image.layers.filter(({ kind }) => kind === 'step').length;
    // A base of packages does not know its layers before it is made: it is one.
    const below = steps === image.layers.length ? 0 : image.config.rootfs.diff_ids.length || 1;
    const simple = isChain(image) && root.length === below + steps;
    const solved = simple ? root : await this.#stacked(solving, image);
    if (this.#started.size > 0) this.#tellGround();
    const epoch = this.#epoch;
    const shaped = await this.#shape(image, solved, w);
    // Layers of the lifecycle have one time, and the image's labels name their digests.
    const own = image.layers.some((layer) => layer.kind === 'step' && layer.dialect !== 'oci');
    const clamps = epoch !== undefined && this.#request.rewriteTimestamp !== false && !own;
    const layers = clamps ? await this.#clamp(shaped, epoch, w) : shaped;
    const told = this.#request.squash ? oneStep(image) : image;
    const config = finishConfig(told, {
      diffIds: layers.map((layer) => layer.diffId),
      layerTimes: layers.map((layer) => layer.createdAt),
      epoch,
    });
    return {
      plan: image,
      config,
      layers,
      solved,
      root: simple || chainId(root) === chainId(solved) ? layers : root,
      epoch,
      statements: [],
    };
  }

  /** The layers of an image one by one. */
  async #stacked(solving: Solving, image: PlannedImage): Promise<readonly RefLayer[]> {
    const o = { session: this.#session, signal: solving.signal };
    const parts = await Promise.all(
      image.layers.map(async (layer) => {
        if (layer.kind === 'base') return (await this.#layersOf(solving, layer.image)).layers;
        const [before, after] = await Promise.all([
          this.#layersOf(solving, layer.before),
          this.#layersOf(solving, layer.after),
        ]);
        return [await this.#parts.worker.layerBetween(before.layers, after.layers, o)];
      }),
    );
    return parts.flat();
  }

  async #layersOf(solving: Solving, state: State): Promise<LayersRef> {
    const { layers } = this.#parts.worker;
    return layers.stacked(state.edge && (await solving.result(state.edge)), { signal: solving.signal });
  }

  /** The layers as the request wants them: one for all steps, and without what is to be left out. */
  async #shape(
    image: PlannedImage,
    layers: readonly RefLayer[],
    w: { signal: AbortSignal },
  ): Promise<readonly RefLayer[]> {
    const { worker } = this.#parts;
    const { squash, leaveOut = [] } = this.#request;
    const o = { session: this.#session, ...w };
    const steps = image.layers.filter(({ kind }) => kind === 'step').length;
    let shaped = layers;
    if (squash && steps > 1) {
      const base = layers.slice(0, layers.length - steps);
      shaped = [...base, await worker.layerBetween(base, layers, o)];
    }
    if (leaveOut.length === 0 || steps === 0) return shaped;
    const from = layers.length - steps;
    const kept = shaped.slice(0, from);
    for (const layer of shaped.slice(from)) kept.push(await worker.without(layer, leaveOut, o));
    return kept;
  }

  /** New layers with no time later than the epoch; a base's stay as they are. */
  async #clamp(layers: readonly RefLayer[], epoch: number, w: { signal: AbortSignal }): Promise<readonly RefLayer[]> {
    const o = { session: this.#session, ...w };
    const clamped: RefLayer[] = [];
    for (const layer of layers)
      clamped.push(layer.createdAt === undefined ? layer : await this.#parts.worker.clamp(layer, epoch, o));
    return clamped;
  }

  async #export(
    built: readonly BuiltImage[],
    w: { index: boolean; signal: AbortSignal; request?: Request; beside?: string },
  ): Promise<BuildResult> {
    return exportAll(built, {
      index: w.index,
      request: w.request ?? this.#request,
      beside: w.beside,
      session: this.#session,
      worker: this.#parts.worker,
      clock: this.#parts.clock,
      random: this.#parts.random,
      emit: (event) => this.#tell(event),
      signal: w.signal,
    });
  }

  #tell(event: BuildEvent): void {
    void this.#emit(event);
  }

  #tellGround(): void {
    const report = this.#parts.worker.groundReport();
    if (!report || this.#groundTold) return;
    this.#groundTold = true;
    this.#tell({ kind: 'ground', at: this.#parts.clock.now(), ground: report });
  }

  #forward(event: SolveEvent): void | Promise<void> {
    // The empty tree is no step that anybody took.
    if (event.kind === 'vertex' ? isScratch(event.vertex.op) : this.#hidden.has(event.digest)) {
      if (event.kind === 'vertex') this.#hidden.add(event.vertex.digest);
      return undefined;
    }
    if (event.kind === 'vertex') {
      if (needsGround(event.vertex.op)) this.#grounded.add(event.vertex.digest);
    } else if (event.kind === 'started') {
      if (this.#grounded.has(event.digest)) this.#started.add(event.digest);
    } else if (this.#started.has(event.digest)) this.#tellGround();
    const told = toBuildEvent(event);
    return this.#emit(
      told.kind === 'vertex' ? { ...told, inputs: told.inputs.filter((id) => !this.#hidden.has(id as Digest)) } : told,
    );
  }
}

/** What is on record of builds only serves those who ask why: a full disk must not fail a build that is done, nor hide why one failed. */
function record(trace: BuildTrace | undefined, outcome: BuildOutcome): void {
  try {
    trace?.save(outcome);
  } catch {
    // The build before stays the last one on record.
  }
}

/** All of these, or the error of the first that failed for a reason of its own, once all have ended. */
async function allOf<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const failed: unknown[] = [];
  const done: T[] = [];
  for (const settled of await Promise.allSettled(work))
    if (settled.status === 'fulfilled') done.push(settled.value);
    else failed.push(settled.reason);
  if (failed.length > 0) throw failed.find((error) => kindOf(error) !== 'cancelled') ?? failed[0];
  return done;
}

function isScratch(op: Op): boolean {
  return op.kind === 'source' && op.source.type === 'scratch';
}

function needsGround(op: Op): boolean {
  return op.kind === 'exec' || (op.kind === 'source' && op.source.type === 'packages');
}

/** The epoch that the frontend read in what it was given to build. */
function epochOf(plan: Plan): number | undefined {
  const text = plan.metadata.get('source.date.epoch');
  const epoch = text === undefined ? Number.NaN : Number(Buffer.from(text).toString());
  return Number.isSafeInteger(epoch) ? epoch : undefined;
}
