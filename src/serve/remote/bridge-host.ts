import { kindOf, unlessCancelled, type Clock, type Wait } from '../../base/index.ts';
import { parseDigest, type Digest, type Platform } from '../../blob/index.ts';
import type { BuildEvent } from '../../engine/index.ts';
import {
  toldWork,
  type Frontend,
  type FrontendHost,
  type FrontendRequest,
  type Plan,
  type PlannedImage,
  type Ref,
  type Resolved,
  type Warning,
} from '../../frontend/index.ts';
import { frontendOptions, toPlan, type Held, type HeldRefs } from '../../gateway/index.ts';
import { sourceState, type SourceOp, type State } from '../../graph/index.ts';
import { parseConfig } from '../../image/index.ts';
import { joinPath, treeError, type Entry, type TreeView } from '../../tree/index.ts';
import { decodeDefinition } from '../../wire/buildkit/index.ts';
import type { Ref as WireRef, Result } from '../../wire/gen/buildkit/gateway_pb.ts';
import type { Definition } from '../../wire/gen/buildkit/ops_pb.ts';
import type { Bridge } from './bridge.ts';
import { remoteError } from './errors.ts';
import type { Entry as CacheEntry } from './exporters.ts';
import { readEntry } from './read-entry.ts';
import type { OwnFiles } from './own-files.ts';
import type { SourceResolver } from './source-resolver.ts';

/** Bytes asked for at once of a file, and bytes of the largest that is read. */
const PIECE = 3 << 20;
const READ_LIMIT = 16 << 20;

export interface BridgeHostParts {
  readonly bridge: Bridge;
  readonly sources: SourceResolver;
  /** Absent: the daemon reads them. */
  readonly own?: OwnFiles | undefined;
  readonly clock: Clock;
  readonly frontends: Readonly<Record<string, Frontend>>;
  readonly cacheImports: readonly CacheEntry[];
  readonly emit: (event: BuildEvent) => void;
  readonly encode: (state: State) => Definition;
  /** The digests of the layers that a tree would have in an image. */
  readonly layersOf: (state: State, w?: Wait) => Promise<readonly Digest[]>;
  /** An error of a step as the build's own. */
  readonly explain: (error: unknown) => unknown;
}

/** Frontends that run where the steps do, where none of that name runs here. */
const ELSEWHERE: ReadonlySet<string> = new Set(['dockerfile', 'gateway']);

interface Asked {
  readonly states: Map<string, State>;
  readonly refs: Map<string, Promise<string>>;
  readonly resolved: Map<string, Promise<Resolved>>;
  tasks: number;
}

/** What frontends that run here may ask of a daemon elsewhere: LLBBridge as `FrontendHost`. */
export class BridgeHost implements FrontendHost {
  readonly #o: BridgeHostParts;
  readonly #inputs: ReadonlyMap<string, State | PlannedImage>;
  readonly #asked: Asked;

  constructor(
    o: BridgeHostParts,
    inputs: ReadonlyMap<string, State | PlannedImage> = new Map(),
    asked: Asked = { states: new Map(), refs: new Map(), resolved: new Map(), tasks: 0 },
  ) {
    this.#o = o;
    this.#inputs = inputs;
    this.#asked = asked;
  }

  resolve(source: SourceOp, w: Wait = {}): Promise<Resolved> {
    const key = JSON.stringify(source);
    let resolving = this.#asked.resolved.get(key);
    if (!resolving) {
      resolving = this.#o.sources.resolve(source, { task: (name, work) => this.task(name, work) });
      resolving.catch(() => undefined);
      this.#asked.resolved.set(key, resolving);
    }
    return unlessCancelled(resolving, w);
  }

  async find(source: SourceOp, w: Wait = {}): Promise<Resolved | undefined> {
    // "Only where it is" has no word in BuildKit: it would ask registries.
    if (source.source.type === 'image' && source.source.pull === 'never') return undefined;
    try {
      return await this.resolve(source, w);
    } catch (error) {
      if (kindOf(error) !== 'not_found') throw error;
      return undefined;
    }
  }

  async solve(state: State): Promise<Ref> {
    const id = keyOf(state);
    this.#asked.states.set(id, state);
    const view = this.#own(state);
    if (view) await view;
    else if (state.edge) await this.refOf(state);
    return { id };
  }

  /** The daemon's name of a tree that is made by then; "" is the empty one. */
  refOf(state: State): Promise<string> {
    const id = keyOf(state);
    let ref = this.#asked.refs.get(id);
    if (!ref) {
      ref = state.edge ? this.#evaluate(state, true) : Promise.resolve('');
      ref.catch(() => undefined);
      this.#asked.refs.set(id, ref);
    }
    return ref;
  }

  /** The same without waiting for it to be made: what goes wrong is told when it is exported. */
  planned(state: State): Promise<string> {
    if (!state.edge) return Promise.resolve('');
    return this.#asked.refs.get(keyOf(state)) ?? this.#evaluate(state, false);
  }

  async #evaluate(state: State, evaluate: boolean): Promise<string> {
    const definition = this.#o.encode(state);
    try {
      const { ref, result } = await this.#o.bridge.call((client, options) =>
        client.solve(
          {
            Definition: definition,
            Evaluate: evaluate,
            allowResultReturn: true,
            // A ref that comes with its definition is more than is needed here.
            allowResultArrayRef: false,
            CacheImports: this.#o.cacheImports.map((entry) => ({ ...entry })),
          },
          options,
        ),
      );
      if (result?.result.case === 'ref') return result.result.value.id;
      if (result?.result.case === 'refDeprecated') return result.result.value;
      return ref;
    } catch (error) {
      throw this.#o.explain(error);
    }
  }

  #own(state: State | undefined): Promise<TreeView> | undefined {
    return state && this.#o.own?.look(state, { signal: this.#o.bridge.signal });
  }

  async read(ref: Ref, path: string, w: Wait = {}): Promise<Uint8Array> {
    const view = await this.#own(this.#asked.states.get(ref.id));
    if (view) return view.readFile(path, { limit: READ_LIMIT, signal: w.signal });
    const id = await this.#found(ref, path);
    const pieces: Uint8Array[] = [];
    for (let at = 0; ;) {
      const { Data: data } = await this.#o.bridge.call(
        (client, options) =>
          client.readFile({ Ref: id, FilePath: path, Range: { Offset: BigInt(at), Length: BigInt(PIECE) } }, options),
        { action: `read "${path}"`, path: true, ...w },
      );
      pieces.push(data);
      at += data.length;
      if (at > READ_LIMIT) throw remoteError('REMOTE_REQUEST', `read "${path}": it is larger than ${READ_LIMIT} bytes`);
      if (data.length < PIECE) return pieces.length === 1 ? data : Buffer.concat(pieces);
    }
  }

  async list(ref: Ref, path: string, w: Wait = {}): Promise<readonly Entry[]> {
    const view = await this.#own(this.#asked.states.get(ref.id));
    if (view) return view.list(path).map((node) => node.entry);
    const id = await this.#found(ref, path);
    const { entries } = await this.#o.bridge.call(
      (client, options) => client.readDir({ Ref: id, DirPath: path }, options),
      { action: `list "${path}"`, path: true, ...w },
    );
    const folder = path.replaceAll(/^\/+|\/+$/g, '');
    return entries.map((stat) => readEntry(stat, joinPath(folder, stat.path)));
  }

  async stat(ref: Ref, path: string, w: Wait = {}): Promise<Entry | undefined> {
    const view = await this.#own(this.#asked.states.get(ref.id));
    if (view) return view.stat(path)?.entry;
    const id = await this.#found(ref, path);
    try {
      const { stat } = await this.#o.bridge.call(
        (client, options) => client.statFile({ Ref: id, Path: path }, options),
        {
          action: `look at "${path}"`,
          path: true,
          ...w,
        },
      );
      return stat && readEntry(stat, path.replaceAll(/^\/+|\/+$/g, ''));
    } catch (error) {
      if (kindOf(error) === 'not_found') return undefined;
      throw error;
    }
  }

  /** The ref to read from. The empty tree has nothing. */
  async #found(ref: Ref, path: string): Promise<string> {
    const state = this.#asked.states.get(ref.id);
    if (!state) throw remoteError('REMOTE_REQUEST', `read ref "${ref.id}": it is not of this build`);
    const id = await this.refOf(state);
    if (id === '') throw treeError('PATH_NOT_FOUND', `read "${path}": the tree is empty`);
    return id;
  }

  async diffIds(ref: Ref, w: Wait = {}): Promise<readonly Digest[]> {
    const state = this.#asked.states.get(ref.id);
    if (!state?.edge) return [];
    const { op } = state.edge.vertex;
    const known = op.kind === 'source' ? this.#o.sources.configOf(op) : undefined;
    if (known) return parseConfig(known).rootfs.diff_ids.map((text) => parseDigest(text));
    return this.#o.layersOf(state, w);
  }

  async task<T>(name: string, work: (say: (line: string) => void) => Promise<T>): Promise<T> {
    const { clock, emit } = this.#o;
    const id = `task ${this.#asked.tasks++} ${name}`;
    emit({ kind: 'vertex', id, name, inputs: [], internal: name.startsWith('[internal] ') });
    const say = (line: string): void =>
      emit({ kind: 'log', id, at: clock.now(), stream: 'stdout', chunk: Buffer.from(`${line}\n`) });
    return toldWork(id, this.#o, () => work(say));
  }

  async call(
    frontend: string,
    request: FrontendRequest,
    o: { readonly inputs?: ReadonlyMap<string, State | PlannedImage> | undefined } & Wait = {},
  ): Promise<Plan> {
    const { frontends } = this.#o;
    const plan = Object.hasOwn(frontends, frontend) ? frontends[frontend] : undefined;
    if (!plan && ELSEWHERE.has(frontend)) return this.#callThere(`${frontend}.v0`, request, o);
    if (!plan) throw remoteError('REMOTE_UNSUPPORTED', `build with frontend "${frontend}": there is no such frontend`);
    return plan(request, o.inputs ? this.withInputs(o.inputs) : this, { signal: o.signal });
  }

  /** A plan of a frontend that runs where the steps do. Its trees go by the daemon's refs. */
  async #callThere(
    Frontend: string,
    request: FrontendRequest,
    o: { readonly inputs?: ReadonlyMap<string, State | PlannedImage> | undefined } & Wait,
  ): Promise<Plan> {
    const given = o.inputs ?? this.#inputs;
    const inputs = [...given].map(([name, input]) => [name, this.#o.encode('root' in input ? input.root : input)]);
    let result: Result | undefined;
    try {
      ({ result } = await this.#o.bridge.call(
        (client, options) =>
          client.solve(
            {
              Frontend,
              FrontendOpt: { ...frontendOptions(request) },
              FrontendInputs: Object.fromEntries(inputs) as Record<string, Definition>,
              allowResultReturn: true,
              allowResultArrayRef: true,
              CacheImports: this.#o.cacheImports.map((entry) => ({ ...entry })),
            },
            options,
          ),
        { signal: o.signal },
      ));
    } catch (error) {
      throw this.#o.explain(error);
    }
    const states = new Map<string, State>();
    for (const ref of refsIn(result)) {
      const state = await stateOf(ref, { platform: request.buildPlatform, ...o });
      states.set(ref.id, state);
      this.#asked.states.set(keyOf(state), state);
      this.#asked.refs.set(keyOf(state), Promise.resolve(ref.id));
    }
    const held = (id: string): Held => {
      const state = states.get(id);
      if (!state) throw remoteError('REMOTE_INVALID', `read what a frontend made: there is no ref "${id}"`);
      return { state };
    };
    const solved: HeldRefs['solved'] = async (id) => ({ ref: { id: keyOf(held(id).state) }, host: this });
    return toPlan(result, { steering: { held, solved }, platform: request.buildPlatform, signal: o.signal });
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

  withInputs(inputs: ReadonlyMap<string, State | PlannedImage>): BridgeHost {
    return new BridgeHost(this.#o, inputs, this.#asked);
  }

  warn(warning: Warning): void {
    this.#o.emit({ kind: 'warning', at: this.#o.clock.now(), warning });
  }
}

const keyOf = ({ edge }: State): string => (edge ? `${edge.vertex.digest} ${edge.output}` : '');

function refsIn(result: Result | undefined): readonly WireRef[] {
  const found = [
    ...(result?.result.case === 'ref' ? [result.result.value] : []),
    ...(result?.result.case === 'refs' ? Object.values(result.result.value.refs) : []),
    ...Object.values(result?.attestations ?? {}).flatMap(({ attestation }) =>
      attestation.flatMap(({ ref }) => ref ?? []),
    ),
  ];
  return found.filter(({ id }) => id !== '');
}

/** What a ref is made of, where its definition says so in words we have; else a tree that is known by the ref alone. */
async function stateOf({ id, def }: WireRef, o: { readonly platform: Platform } & Wait): Promise<State> {
  if (def && def.def.length > 0)
    try {
      const { root } = await decodeDefinition(def, o);
      if (!root.isScratch) return root;
    } catch {
      // The daemon knows what it is.
    }
  return sourceState({ type: 'local', name: `ref ${id}` }, { name: `what a frontend made (${id})`, internal: true });
}
