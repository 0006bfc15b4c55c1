import { Channel, CodedError, kindOf, messageOf, type Clock, type Random, type Wait } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import type { Frontend, FrontendRequest, Plan, PlannedImage } from '../frontend/index.ts';
import { hostPlatform, parseReference } from '../image/index.ts';
import type { SolveEvent } from '../solve/index.ts';
import {
  chainId,
  layersOf,
  type BuildHost,
  type RefLayer,
  type Session,
  type Solving,
  type Worker,
} from '../worker/index.ts';
import type { BuildEvent, BuildRequest, BuildResult, ImageMetadata } from './builder.ts';
import { engineError } from './errors.ts';
import { exportAll, codecOf } from './export/index.ts';
import { finishConfig } from './finish-config.ts';
import { EngineFrontendHost } from './frontend-host.ts';

/** An image whose tree is solved: what exporters write. */
export interface BuiltImage {
  readonly plan: PlannedImage;
  readonly config: ReturnType<typeof finishConfig>;
  readonly layers: readonly RefLayer[];
  /** All layers of the final tree, for file system outputs. */
  readonly root: readonly RefLayer[];
}

export interface BuildParts {
  readonly worker: Worker;
  readonly frontends: Readonly<Record<string, Frontend>>;
  readonly clock: Clock;
  readonly random: Random;
}

type Request = BuildRequest & ImageMetadata;

/** One build from request to result: plan, solve, finish, export. Data goes down once and comes up as one stream of events. */
export async function* runBuild(
  parts: BuildParts,
  request: Request,
  host: BuildHost,
  w: Wait = {},
): AsyncIterable<BuildEvent> {
  const events = new Channel<BuildEvent>();
  const controller = new AbortController();
  const signal = w.signal ? AbortSignal.any([w.signal, controller.signal]) : controller.signal;
  const work = new Build(parts, request, host, (event) => events.push(event)).run({ signal }).then(
    () => events.end(),
    (error: unknown) => events.end({ error }),
  );
  try {
    yield* events;
  } finally {
    controller.abort(new CodedError({ code: 'BUILD_LEFT', kind: 'cancelled', message: 'the build was left' }));
    await work;
  }
}

class Build {
  readonly #parts: BuildParts;
  readonly #request: Request;
  readonly #emit: (event: BuildEvent) => void;
  readonly #session: Session;
  /** Vertices whose layers a target wants compressed. */
  readonly #wanted = new Set<Digest>();
  #groundTold = false;

  constructor(parts: BuildParts, request: Request, host: BuildHost, emit: (event: BuildEvent) => void) {
    this.#parts = parts;
    this.#request = request;
    this.#emit = emit;
    const codec = request.exports.map(codecOf).find((found) => found !== undefined);
    this.#session = {
      id: parts.random.hex(16),
      host,
      allow: new Set(request.allow),
      insecure: request.exports.flatMap((e) =>
        e.type === 'registry' && e.insecure ? e.names.map((name) => parseReference(name).registry) : [],
      ),
      // Compressing while a layer is written is free only where it will be needed as it is: an epoch may rewrite it first.
      codecFor: (vertex) => (this.#wanted.has(vertex) && request.epoch === undefined ? codec : undefined),
    };
  }

  async run(w: { signal: AbortSignal }): Promise<void> {
    const { worker, clock } = this.#parts;
    await using solving = worker.solver.open({
      host: this.#session,
      emit: (event) => this.#forward(event),
      signal: w.signal,
    });
    await using lease = worker.lease();
    void lease;
    const plan = await this.#plan(solving, { signal: solving.signal });
    if (plan.results.size === 0) {
      const metadata = Object.fromEntries(
        [...plan.metadata].map(([key, value]) => [key, Buffer.from(value).toString()]),
      );
      this.#emit({ kind: 'result', at: clock.now(), result: { images: [], metadata } });
      return;
    }
    const built: BuiltImage[] = [];
    for (const image of plan.results.values()) built.push(await this.#solve(solving, image));
    const result = await this.#export(built, { signal: solving.signal });
    this.#emit({ kind: 'result', at: clock.now(), result });
  }

  async #plan(solving: Solving, w: Wait): Promise<Plan> {
    const { frontends } = this.#parts;
    const { frontend, options, platforms, epoch } = this.#request;
    const plan = frontends[frontend];
    if (!plan)
      throw engineError('FRONTEND_UNKNOWN', `build with frontend "${frontend}": there is no such frontend`, {
        remedy: `Use one of: ${Object.keys(frontends).join(', ')}.`,
      });
    const native = hostPlatform(process);
    const asked: FrontendRequest = {
      options,
      platforms: platforms.length > 0 ? platforms : [native],
      buildPlatform: native,
      epoch,
    };
    const host = new EngineFrontendHost({
      worker: this.#parts.worker,
      solving,
      session: this.#session,
      clock: this.#parts.clock,
      frontends,
      emit: this.#emit,
    });
    return plan(asked, host, w);
  }

  /** Solves every layer of an image and its root at once. */
  async #solve(solving: Solving, image: PlannedImage): Promise<BuiltImage> {
    const { clock } = this.#parts;
    for (const layer of image.layers)
      if (layer.kind === 'step' && layer.after.edge) this.#wanted.add(layer.after.edge.vertex.digest);
    const refOf = async (state: PlannedImage['root']): Promise<readonly RefLayer[]> =>
      state.edge ? layersOf(await solving.result(state.edge)) : [];
    const [root, ...parts] = await Promise.all([
      refOf(image.root),
      ...image.layers.map(async (layer) => {
        if (layer.kind === 'base') return refOf(layer.image);
        const [before, after] = await Promise.all([refOf(layer.before), refOf(layer.after)]);
        return after.slice(before.length);
      }),
    ]);
    this.#tellGround(clock.now());
    const solved = parts.flat();
    const { epoch } = this.#request;
    const layers =
      epoch === undefined || this.#request.rewriteTimestamp === false
        ? solved
        : await this.#clamp(solved, epoch, solving.signal);
    const config = finishConfig(image, {
      diffIds: layers.map((layer) => layer.diffId),
      layerTimes: layers.map((layer) => layer.createdAt),
      epoch,
    });
    return { plan: image, config, layers, root: chainId(root) === chainId(solved) ? layers : root };
  }

  /** New layers with no time later than the epoch; a base's stay as they are. */
  async #clamp(layers: readonly RefLayer[], epoch: number, signal: AbortSignal): Promise<readonly RefLayer[]> {
    const clamped: RefLayer[] = [];
    for (const layer of layers)
      clamped.push(layer.createdAt === undefined ? layer : await this.#parts.worker.clamp(layer, epoch, { signal }));
    return clamped;
  }

  async #export(built: readonly BuiltImage[], w: { signal: AbortSignal }): Promise<BuildResult> {
    return exportAll(built, {
      request: this.#request,
      session: this.#session,
      worker: this.#parts.worker,
      clock: this.#parts.clock,
      random: this.#parts.random,
      emit: this.#emit,
      signal: w.signal,
    });
  }

  #tellGround(at: number): void {
    const report = this.#parts.worker.groundReport();
    if (!report || this.#groundTold) return;
    this.#groundTold = true;
    this.#emit({ kind: 'ground', at, ground: report });
  }

  #forward(event: SolveEvent): void {
    this.#emit(toBuildEvent(event));
    if (event.kind === 'started') this.#tellGround(event.at);
  }
}

function toBuildEvent(event: SolveEvent): BuildEvent {
  switch (event.kind) {
    case 'vertex': {
      const { digest, inputs, label } = event.vertex;
      return {
        kind: 'vertex',
        id: digest,
        name: label.name,
        inputs: inputs.map((edge) => edge.vertex.digest),
        group: label.group,
        internal: label.internal,
        place: label.place,
      };
    }
    case 'started':
      return { kind: 'started', id: event.digest, at: event.at };
    case 'cached':
      return { kind: 'cached', id: event.digest, at: event.at, verdict: event.verdict };
    case 'log':
      return { kind: 'log', id: event.digest, at: event.at, stream: event.stream, chunk: event.chunk };
    case 'progress':
      return { kind: 'progress', id: event.digest, at: event.at, progress: event.progress };
    case 'note':
      return { kind: 'note', id: event.digest, at: event.at, text: event.text };
    case 'completed': {
      if (event.error === undefined) return { kind: 'completed', id: event.digest, at: event.at };
      return {
        kind: 'completed',
        id: event.digest,
        at: event.at,
        error: messageOf(event.error),
        cancelled: kindOf(event.error) === 'cancelled',
      };
    }
  }
}
