import {
  CodedError,
  kindOf,
  messageOf,
  systemClock,
  systemRandom,
  unlessCancelled,
  type Clock,
  type Random,
  type Wait,
} from '../../base/index.ts';
import { parseDigest, type BlobReader, type Digest } from '../../blob/index.ts';
import type { BuildEvent, BuildRequest, BuildResult, ImageMetadata } from '../../engine/index.ts';
import type { Companion, Frontend, Plan } from '../../frontend/index.ts';
import type { ImageSource, SourcePolicy, State, Vertex } from '../../graph/index.ts';
import { formatPlatform, parseConfig } from '../../image/index.ts';
import { encodeState, toWirePolicy, type EncodedDefinition } from '../../wire/buildkit/index.ts';
import { Control } from '../../wire/gen/buildkit/control_pb.ts';
import type { Policy } from '../../wire/gen/buildkit/source-policy_pb.ts';
import type { Definition } from '../../wire/gen/buildkit/ops_pb.ts';
import { fromStatus, toStatus } from '../../wire/grpc/index.ts';
import type { BuildHost } from '../../worker/index.ts';
import { Bridge } from './bridge.ts';
import { BridgeHost } from './bridge-host.ts';
import { resultOf } from './build-result.ts';
import type { RemoteConnection } from './connection.ts';
import { remoteError } from './errors.ts';
import { cacheExportOf, cacheImportOf, exportersOf, type Entry, type RemoteExport } from './exporters.ts';
import { LayoutSpools } from './layout-spools.ts';
import { OwnFiles } from './own-files.ts';
import { planRequest } from './plan-request.ts';
import { returned, toWireResult, type Returned } from './returned.ts';
import { remoteFailure } from './remote-failure.ts';
import { Rewriter } from './rewriter.ts';
import { RemoteSession } from './session.ts';
import { SourceResolver, type MakeBase } from './source-resolver.ts';
import { sourceMapOf } from './source-map.ts';
import { StatusEvents } from './status-events.ts';
import { nativeOf } from './workers.ts';

export interface RemoteBuilderOptions {
  /** The frontends that run here, by name. */
  readonly frontends: Readonly<Record<string, Frontend>>;
  readonly makeBase?: MakeBase | undefined;
  /** What a client says of itself so that its files are known again. Absent: nothing. */
  readonly sharedKey?: string | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

export type Request = BuildRequest & ImageMetadata;

/** What one call of Solve is for. */
interface Solve {
  /** What the daemon is to say about the images: `attest:` options. */
  readonly attests?: Readonly<Record<string, string>> | undefined;
  readonly exporters: readonly Entry[];
  readonly cacheExports?: readonly Entry[] | undefined;
  readonly internal?: boolean | undefined;
  /** What is exported. */
  readonly plan: (host: BridgeHost, w: { readonly signal: AbortSignal }) => Promise<Returned>;
}

/** How long the last of a build's story may take after its end. */
const STORY_GRACE = 5000;

/** One build on a daemon. */
export class RemoteBuild {
  readonly #connection: RemoteConnection;
  readonly #request: Request;
  readonly #host: BuildHost;
  readonly #o: RemoteBuilderOptions;
  readonly #emit: (event: BuildEvent) => void;
  readonly #clock: Clock;
  readonly #random: Random;
  /** Our steps by the digests that the daemon knows them by. */
  readonly #encoded: EncodedDefinition[] = [];
  readonly #rewriter = new Rewriter({ diffIdsOf: (source) => this.#diffIdsOf(source) });
  /** Of images that were resolved, by their source. */
  readonly #configs = new Map<string, Uint8Array>();
  #session: RemoteSession | undefined;
  /** Images made here, by the name that they are offered as. */
  readonly #made = new Map<string, BlobReader>();
  readonly #exports: readonly RemoteExport[];

  constructor(
    connection: RemoteConnection,
    o: RemoteBuilderOptions & {
      readonly request: Request;
      readonly host: BuildHost;
      readonly emit: (event: BuildEvent) => void;
    },
  ) {
    this.#connection = connection;
    this.#request = o.request;
    this.#host = o.host;
    this.#o = o;
    this.#emit = o.emit;
    this.#clock = o.clock ?? systemClock;
    this.#random = o.random ?? systemRandom;
    this.#exports = exportersOf(o.request, { docker: connection.isDocker });
  }

  async run(w: { readonly signal: AbortSignal }): Promise<void> {
    const request = this.#request;
    if ((request.leaveOut ?? []).length > 0)
      throw remoteError('REMOTE_UNSUPPORTED', 'leave paths out of new layers: BuildKit cannot do that');
    const imports = (request.cacheFrom ?? []).map((cache) => cacheImportOf(cache));
    const cacheTo = (request.cacheTo ?? []).map((cache) => cacheExportOf(cache));
    // While the build begins there.
    const asking = nativeOf(this.#connection, w);
    asking.catch(() => undefined);
    using spools = new LayoutSpools({
      exports: this.#exports,
      caches: cacheTo.flatMap(({ store }) => (store ? [store[1]] : [])),
      host: this.#host,
      clock: this.#clock,
      random: this.#random,
    });
    await using session = this.#openSession({
      sinks: this.#exports.map(({ sink, layout }) => (layout ? undefined : sink)),
      stores: new Map([
        ...imports.flatMap(({ store }) => (store ? [[store[0], this.#host.blobs(store[1])] as const] : [])),
        ...spools.stores,
      ]),
    });
    this.#session = session;
    const entriesOf = (entries: readonly Entry[]): readonly Entry[] =>
      entries.map(({ Type, Attrs }) => ({ Type, Attrs }));
    let made: Plan | undefined;
    const response = await this.#solve(
      {
        exporters: entriesOf(this.#exports),
        cacheExports: entriesOf(cacheTo),
        attests: attestsOf(request.options),
        plan: async (host, ending) => {
          const plan = await planRequest(request, {
            host,
            frontends: this.#o.frontends,
            native: await asking,
            epoch: request.epoch,
            ...ending,
          });
          made = plan;
          return returned(plan, host, { squash: this.#request.squash });
        },
      },
      { ...w, cacheImports: entriesOf(imports) },
    );
    if (!made) throw remoteError('REMOTE_INVALID', 'build: the daemon ended the build before it was planned');
    await spools.finish(response, w);
    for (const companion of made.companions ?? [])
      // A daemon's images are not looked through for caches: it has its own.
      if (companion.to === 'registry') await this.#keep(companion, w);
    this.#tellResult(made, response);
  }

  #openSession(o: Pick<ConstructorParameters<typeof RemoteSession>[1], 'sinks' | 'stores'>): RemoteSession {
    return new RemoteSession(this.#connection, {
      host: this.#host,
      id: this.#random.hex(16),
      sharedKey: this.#o.sharedKey,
      made: this.#made,
      ...o,
    });
  }

  #tellResult(plan: Plan, response: Readonly<Record<string, string>>): void {
    const platforms = [...plan.results.values()].map(({ platform }) => platform);
    const more: Record<string, string> = {};
    if (platforms.length === 0) for (const [key, value] of plan.metadata) more[key] = Buffer.from(value).toString();
    const result: BuildResult = resultOf(response, { request: this.#request, platforms, more });
    this.#emit({ kind: 'result', at: this.#clock.now(), result });
  }

  /** What is kept beside the results, as an image of its own. */
  async #keep({ image, to, name }: Companion, w: { readonly signal: AbortSignal }): Promise<void> {
    const exports = exportersOf(
      { ...this.#request, exports: [{ type: to, names: [name] }], annotations: [] },
      { docker: this.#connection.isDocker },
    );
    const results = new Map([[formatPlatform(image.platform), image]]);
    try {
      await this.#solve(
        {
          exporters: exports.map(({ Type, Attrs }) => ({ Type, Attrs })),
          plan: (host) => returned({ results, metadata: new Map() }, host, { squash: this.#request.squash }),
        },
        w,
      );
    } catch (error) {
      if (kindOf(error) === 'cancelled') throw error;
      const warning = { code: 'COMPANION_NOT_KEPT', message: `keep "${name}": ${messageOf(error)}` };
      this.#emit({ kind: 'warning', at: this.#clock.now(), warning });
    }
  }

  /** The digests of the layers of a tree: those of an image of it, whose layers are not sent. */
  async #layersOf(state: State, w: Wait): Promise<readonly Digest[]> {
    const signal = w.signal ?? new AbortController().signal;
    // A session of its own: the name of its store may be that of a layout that is written.
    await using session = this.#openSession({ sinks: [], stores: new Map() });
    const answer = await this.#solve(
      {
        exporters: [{ Type: 'oci', Attrs: { tar: 'false', compression: 'uncompressed' } }],
        internal: true,
        plan: async (host) => ({ refs: new Map([['', await host.planned(state)]]), alone: true, metadata: {} }),
      },
      { signal, session, silent: true },
    );
    const manifest = parseDigest(answer['containerimage.digest'] ?? '');
    const diffIds = session.shapes.diffIds(manifest);
    if (!diffIds) throw remoteError('REMOTE_INVALID', `read what "${manifest}" is made of: the daemon has not sent it`);
    return diffIds.map((text) => parseDigest(text));
  }

  /** One build as the daemon knows them: its plan is made here, its steps run and its exporters work there. */
  async #solve(
    solve: Solve,
    o: {
      readonly signal: AbortSignal;
      readonly cacheImports?: readonly Entry[] | undefined;
      readonly silent?: boolean | undefined;
      /** Where exporters write to; the build's own where none is given. */
      readonly session?: RemoteSession | undefined;
    },
  ): Promise<Readonly<Record<string, string>>> {
    const session = o.session ?? this.#session;
    if (!session) throw new TypeError('no session is open');
    const control = this.#connection.grpc.client(Control);
    const id = this.#random.hex(16);
    const ending = new AbortController();
    const signal = AbortSignal.any([o.signal, session.gone, ending.signal]);
    const bridge = new Bridge(this.#connection, { id, signal });
    const sources = new SourceResolver({
      configs: this.#configs,
      policies: this.#request.sourcePolicies ?? [],
      bridge,
      makeBase: this.#o.makeBase,
      made: this.#made,
      session,
    });
    const policy = wirePolicyOf(this.#request.sourcePolicies);
    const host = new BridgeHost({
      bridge,
      sources,
      // The daemon is who judges sources.
      own: policy ? undefined : new OwnFiles({ host: this.#host, clock: this.#clock, emit: this.#emit }),
      clock: this.#clock,
      frontends: this.#o.frontends,
      cacheImports: o.cacheImports ?? [],
      emit: this.#emit,
      encode: (state) => this.#encode(state),
      layersOf: (state, w) => this.#layersOf(state, { signal: w?.signal ?? signal }),
      explain: (error) => remoteFailure(error, (wire) => this.#stepOf(wire)),
    });
    const story = o.silent ? undefined : this.#follow(id, AbortSignal.any([o.signal, session.gone]));
    const solving = control.solve(
      {
        Ref: id,
        Session: session.id,
        FrontendAttrs: { ...solve.attests },
        Exporters: solve.exporters.map((entry) => ({ ...entry })),
        ExporterDeprecated: solve.exporters[0]?.Type ?? '',
        ExporterAttrsDeprecated: solve.exporters[0]?.Attrs ?? {},
        Cache: {
          // BuildKit reads them with each call of the bridge, strake's daemon once for all of a build.
          Imports: (o.cacheImports ?? []).map((entry) => ({ ...entry })),
          Exports: (solve.cacheExports ?? []).map((entry) => ({ ...entry })),
        },
        Entitlements: [...this.#request.allow],
        ...(policy && { SourcePolicy: policy }),
        Internal: solve.internal === true,
      },
      { signal },
    );
    // What the daemon says ends the plan, too.
    solving.catch((error: unknown) => ending.abort(this.#explained(error)));
    let failure: unknown;
    try {
      await this.#steer(bridge, host, { solve, signal });
    } catch (error) {
      failure = error;
    }
    try {
      const { ExporterResponse: response } = await unlessCancelled(solving, { signal: o.signal });
      if (failure !== undefined) throw failure;
      return response;
    } catch (error) {
      if (o.signal.aborted) throw o.signal.reason;
      if (session.gone.aborted) throw session.gone.reason;
      // What went wrong here is what the daemon was told.
      throw failure !== undefined && failure !== ending.signal.reason && kindOf(failure) !== 'cancelled'
        ? failure
        : this.#explained(error);
    } finally {
      await story?.(STORY_GRACE);
      ending.abort(remoteError('REMOTE_ENDED', 'the build has ended'));
    }
  }

  /** Makes the plan and hands it over, or what went wrong with it. */
  async #steer(
    bridge: Bridge,
    host: BridgeHost,
    { solve, signal }: { readonly solve: Solve; readonly signal: AbortSignal },
  ): Promise<void> {
    let made: Returned;
    try {
      made = await solve.plan(host, { signal });
    } catch (error) {
      const { code, message } = toStatus(error);
      // The daemon may have ended the build already.
      await bridge
        .call((client, options) => client.return({ error: { code, message } }, options))
        .catch(() => undefined);
      throw error;
    }
    await bridge.call((client, options) => client.return({ result: toWireResult(made) }, options));
  }

  #encode(state: State): Definition {
    this.#session?.offer(state);
    const encoded = encodeState(this.#rewriter.rewritten(state), { session: this.#session?.id });
    this.#encoded.push(encoded);
    const { definition } = encoded;
    const source = sourceMapOf(definition, (wire) => encoded.vertexOf(wire));
    if (source) definition.Source = source;
    return definition;
  }

  #diffIdsOf(source: ImageSource): readonly string[] {
    const config = this.#configs.get(JSON.stringify(source));
    return config ? parseConfig(config).rootfs.diff_ids : [];
  }

  /** Our step by the digest that the daemon knows it by. */
  #stepOf(wire: string): Vertex | undefined {
    for (const encoded of this.#encoded) {
      const found = encoded.vertexOf(wire);
      if (found) return found;
    }
    return undefined;
  }

  #explained(error: unknown): unknown {
    return remoteFailure(error instanceof CodedError ? error : fromStatus(error), (wire) => this.#stepOf(wire));
  }

  /** Tells the build's story; what comes back waits for the rest of it. */
  #follow(id: string, signal: AbortSignal): (grace: number) => Promise<void> {
    const control = this.#connection.grpc.client(Control);
    const leaving = new AbortController();
    const events = new StatusEvents((wire) => this.#stepOf(wire), this.#clock);
    const work = (async (): Promise<void> => {
      try {
        for await (const response of control.status({ Ref: id }, { signal: AbortSignal.any([signal, leaving.signal]) }))
          for (const event of events.take(response)) this.#emit(event);
      } catch {
        // What went wrong is what Solve says.
      }
    })();
    return async (grace) => {
      const timer = setTimeout(() => leaving.abort(), grace);
      await work;
      clearTimeout(timer);
    };
  }
}

/** A solve takes one policy. */
function wirePolicyOf(policies: readonly SourcePolicy[] = []): Policy | undefined {
  const [policy, ...more] = policies.filter(({ rules }) => rules.length > 0);
  if (more.length > 0)
    throw remoteError('REMOTE_UNSUPPORTED', 'build with several source policies: BuildKit takes one');
  return policy && toWirePolicy(policy);
}

/** What is to be said about images is said where they are made. */
function attestsOf(options: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(options).filter(([name]) => name.startsWith('attest:')));
}
