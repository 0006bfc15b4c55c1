import { kindOf, unlessCancelled, type Clock, type Wait } from '../base/index.ts';
import {
  toldWork,
  type Container,
  type ContainerRequest,
  type FailedProcess,
  type Frontend,
  type FrontendHost,
  type FrontendRequest,
  type Plan,
  type PlannedImage,
  type Ref as FrontendRef,
  type Resolved,
  type Warning,
} from '../frontend/index.ts';
import type { Digest } from '../blob/index.ts';
import type { SourceOp, State } from '../graph/index.ts';
import { formatPlatform } from '../image/index.ts';
import type { Entry, TreeView } from '../tree/index.ts';
import { keptFailure, type Ref, type Session, type Solving, type Worker } from '../worker/index.ts';
import type { BuildEvent } from './builder.ts';
import { engineError } from './errors.ts';
import { frontendContainer } from './frontend-container.ts';

const READ_LIMIT = 16 << 20;
const TEXT_LIMIT = 256 << 10;

/** What frontends of one build asked for. */
export interface Asked {
  readonly refs: Map<string, Ref>;
  /** By the source as it was asked for, as JSON. */
  readonly resolved: Map<string, Promise<Resolved>>;
  /** Files that were read and are text of a size that people write, by path without the leading "/". */
  readonly texts: Map<string, string>;
  /** Trees that were solved so that they could be looked into. */
  readonly solved: State[];
  readonly ending: AbortController;
  /** Those that stand. */
  readonly containers: Set<AsyncDisposable>;
  tasks: number;
}

interface HostParts {
  readonly worker: Worker;
  readonly solving: Solving;
  readonly session: Session;
  readonly clock: Clock;
  readonly frontends: Readonly<Record<string, Frontend>>;
  /** The build's: it goes on after a solve has failed. */
  readonly signal: AbortSignal;
  readonly emit: (event: BuildEvent) => void;
}

/** What frontends may ask of this engine while they plan. Its end gives up what is still being asked, and waits for that. */
export class EngineFrontendHost implements FrontendHost, AsyncDisposable {
  readonly #o: HostParts;
  readonly #inputs: ReadonlyMap<string, State | PlannedImage>;
  readonly #asked: Asked;
  readonly #refs: Map<string, Ref>;
  readonly #resolved: Map<string, Promise<Resolved>>;
  readonly #ending: AbortController;

  constructor(
    o: HostParts,
    inputs: ReadonlyMap<string, State | PlannedImage> = new Map(),
    asked: Asked = {
      refs: new Map(),
      resolved: new Map(),
      texts: new Map(),
      solved: [],
      ending: new AbortController(),
      containers: new Set(),
      tasks: 0,
    },
  ) {
    this.#o = o;
    this.#inputs = inputs;
    this.#asked = asked;
    ({ refs: this.#refs, resolved: this.#resolved, ending: this.#ending } = asked);
  }

  /** The same source is asked about once in a build; a caller's signal ends its own wait only. */
  resolve(source: SourceOp, w: Wait = {}): Promise<Resolved> {
    const key = JSON.stringify(source);
    let resolving = this.#resolved.get(key);
    if (!resolving) {
      const signal = AbortSignal.any([this.#o.solving.signal, this.#ending.signal]);
      resolving = this.#resolve(source, { signal });
      resolving.catch(() => undefined);
      this.#resolved.set(key, resolving);
    }
    return unlessCancelled(resolving, w);
  }

  async find(source: SourceOp, w: Wait = {}): Promise<Resolved | undefined> {
    const signal = AbortSignal.any([this.#o.solving.signal, this.#ending.signal]);
    return unlessCancelled(this.#resolve(source, { signal, optional: true }), w);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(engineError('BUILD_LEFT', 'the plan is made'));
    await Promise.allSettled([...this.#asked.containers].map((container) => container[Symbol.asyncDispose]()));
    await Promise.allSettled(this.#resolved.values());
  }

  #resolve(source: SourceOp, w: { signal: AbortSignal }): Promise<Resolved>;
  #resolve(source: SourceOp, w: { signal: AbortSignal; optional: true }): Promise<Resolved | undefined>;
  async #resolve(source: SourceOp, w: { signal: AbortSignal; optional?: true }): Promise<Resolved | undefined> {
    const { worker, session, clock, emit } = this.#o;
    const name = 'reference' in source.source ? source.source.reference : source.source.type;
    const id = `resolve ${name}${'platform' in source.source ? ` ${formatPlatform(source.source.platform)}` : ''}`;
    emit({ kind: 'vertex', id, name: `[internal] load metadata for ${name}`, inputs: [], internal: true });
    const note = (text: string): void => emit({ kind: 'note', id, at: clock.now(), text });
    return toldWork(id, this.#o, async () => {
      try {
        return await worker.resolve(source, {
          session,
          signal: w.signal,
          onNote: note,
          onProgress: (progress) => emit({ kind: 'progress', id, at: clock.now(), progress }),
        });
      } catch (error) {
        if (!w.optional || kindOf(error) !== 'not_found') throw error;
        note('there is none');
        return undefined;
      }
    });
  }

  async container(request: ContainerRequest, w: Wait = {}): Promise<Container> {
    const { worker, session, clock, emit } = this.#o;
    const both = [this.#o.signal, this.#ending.signal, ...(w.signal ? [w.signal] : [])];
    const open = await worker.containers.open(
      { ...request, refs: request.refs.map((ref) => this.#refOf(ref)) },
      {
        session,
        signal: AbortSignal.any(both),
        note: (text) => emit({ kind: 'warning', at: clock.now(), warning: { code: 'CONTAINER', message: text } }),
      },
    );
    return frontendContainer(open, { signal: this.#o.signal, all: this.#asked.containers });
  }

  async task<T>(name: string, work: (say: (line: string) => void) => Promise<T>): Promise<T> {
    const { clock, emit } = this.#o;
    const id = `task ${this.#asked.tasks++} ${name}`;
    emit({ kind: 'vertex', id, name, inputs: [] });
    const say = (line: string): void =>
      emit({ kind: 'log', id, at: clock.now(), stream: 'stdout', chunk: Buffer.from(`${line}\n`) });
    return toldWork(id, this.#o, () => work(say));
  }

  /** What was asked for by now. */
  get asked(): Asked {
    return this.#asked;
  }

  async solve(state: State): Promise<FrontendRef> {
    const ref: Ref = state.edge ? await this.#o.solving.result(state.edge) : { kind: 'layers', layers: [] };
    this.#asked.solved.push(state);
    return this.#give(ref);
  }

  failed(error: unknown): FailedProcess | undefined {
    const kept = keptFailure(error);
    return (
      kept && {
        vertex: kept.vertex,
        inputs: kept.inputs.map((ref) => this.#give(ref)),
        root: async (w) => this.#give(await kept.root(w)),
        file: async (index, w) => this.#give(await kept.file(index, w)),
      }
    );
  }

  #give(ref: Ref): FrontendRef {
    const id = String(this.#refs.size);
    this.#refs.set(id, ref);
    return { id };
  }

  async read(ref: FrontendRef, path: string, w: Wait = {}): Promise<Uint8Array> {
    const content = await (await this.#view(ref, w)).readFile(path, { limit: READ_LIMIT, signal: w.signal });
    if (content.length <= TEXT_LIMIT) this.#asked.texts.set(path.replace(/^\/+/, ''), Buffer.from(content).toString());
    return content;
  }

  async list(ref: FrontendRef, path: string, w: Wait = {}): Promise<readonly Entry[]> {
    return (await this.#view(ref, w)).list(path).map((node) => node.entry);
  }

  async stat(ref: FrontendRef, path: string, w: Wait = {}): Promise<Entry | undefined> {
    return (await this.#view(ref, w)).stat(path)?.entry;
  }

  async diffIds(ref: FrontendRef, w: Wait = {}): Promise<readonly Digest[]> {
    const { layers } = await this.#o.worker.layers.stacked(this.#refOf(ref), w);
    return layers.map(({ diffId }) => diffId);
  }

  async call(
    frontend: string,
    request: FrontendRequest,
    o: { readonly inputs?: ReadonlyMap<string, State | PlannedImage> | undefined } & Wait = {},
  ): Promise<Plan> {
    return this.#frontend(frontend)(request, o.inputs ? this.withInputs(o.inputs) : this, { signal: o.signal });
  }

  #frontend(name: string): Frontend {
    const frontend = Object.hasOwn(this.#o.frontends, name) ? this.#o.frontends[name] : undefined;
    if (!frontend) throw engineError('FRONTEND_UNKNOWN', `call frontend "${name}": there is no such frontend`);
    return frontend;
  }

  input(name: string): State | undefined {
    const input = this.#inputs.get(name);
    return input && 'root' in input ? input.root : input;
  }

  inputNames(): readonly string[] {
    return [...this.#inputs.keys()];
  }

  inputImage(name: string): PlannedImage | undefined {
    const input = this.#inputs.get(name);
    return input && 'root' in input ? input : undefined;
  }

  /** The same host with inputs, by name; it goes with this one. */
  withInputs(inputs: ReadonlyMap<string, State | PlannedImage>): FrontendHost {
    return new EngineFrontendHost(this.#o, inputs, this.#asked);
  }

  warn(warning: Warning): void {
    this.#o.emit({ kind: 'warning', at: this.#o.clock.now(), warning });
  }

  #refOf(ref: FrontendRef): Ref {
    const found = this.#refs.get(ref.id);
    if (!found) throw engineError('REF_UNKNOWN', `read ref "${ref.id}": it is not of this build`);
    return found;
  }

  #view(ref: FrontendRef, w: Wait): Promise<TreeView> {
    return this.#o.worker.viewOf(this.#refOf(ref), { session: this.#o.session, signal: w.signal });
  }
}
