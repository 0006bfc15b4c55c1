import { sleep, systemClock, unlessCancelled, type Clock, type Wait } from '../../base/index.ts';
import type { Digest, Platform } from '../../blob/index.ts';
import type { Frontend, FrontendRequest, Warning } from '../../frontend/index.ts';
import { rangesOf, sourceInfoOf, toFailure } from '../../gateway/index.ts';
import type { ImageSource, State } from '../../graph/index.ts';
import { hostPlatform, parseConfig, parsePlatform } from '../../image/index.ts';
import { decodeDefinition, encodeState, fromWirePlatform, type EncodedDefinition } from '../../wire/buildkit/index.ts';
import type { Definition } from '../../wire/gen/buildkit/ops_pb.ts';
import type { GrpcConnection } from '../../wire/grpc/index.ts';
import { Bridge } from './bridge.ts';
import { BridgeHost } from './bridge-host.ts';
import { remoteFailure } from './remote-failure.ts';
import { returned, toWireResult } from './returned.ts';
import { Rewriter } from './rewriter.ts';
import { SourceResolver } from './source-resolver.ts';
import { sourceMapOf } from './source-map.ts';

export interface FrontendOptions extends Wait {
  readonly options: Readonly<Record<string, string>>;
  /** The session whose files are read. */
  readonly session: string;
  /** Lines for whoever looks after the frontend. */
  readonly log: (line: string) => void;
  readonly clock?: Clock | undefined;
}

/** How long a builder may take to say who it is. */
const GREETING_MS = 15_000;

/** Runs a frontend for a builder that waits at the other end of a connection (frontend/gateway/grpcclient), and returns its plan or what went wrong with it. Throws what kept it from being told. */
export async function runFrontend(frontend: Frontend, grpc: GrpcConnection, o: FrontendOptions): Promise<void> {
  const { signal = new AbortController().signal } = o;
  const bridge = new Bridge({ grpc }, { id: '', signal });
  const { Workers } = await bridge.call((client, options) => client.ping({}, { ...options, timeoutMs: GREETING_MS }));
  const [native] = Workers.flatMap(({ platforms }) => platforms.map((one) => fromWirePlatform(one)));
  const work = new Work(bridge, { ...o, native: native ?? hostPlatform(process) });
  try {
    const result = await work.plan(frontend, { signal });
    await bridge.call((client, options) => client.return({ result }, options));
  } catch (error) {
    const { code, message, details } = toFailure(error);
    const told = details.map(({ typeUrl, value }) => ({ typeUrl, value }));
    await bridge.call((client, options) => client.return({ error: { code, message, details: told } }, options));
  }
  await work.told();
}

/** One build that a frontend plans. */
class Work {
  readonly #bridge: Bridge;
  readonly #o: FrontendOptions & { readonly native: Platform };
  readonly #host: BridgeHost;
  readonly #encoded: EncodedDefinition[] = [];
  readonly #configs = new Map<string, Uint8Array>();
  readonly #rewriter = new Rewriter({ diffIdsOf: (source) => this.#diffIdsOf(source) });
  readonly #telling: Promise<unknown>[] = [];
  readonly #inputs = new Map<string, State>();

  constructor(bridge: Bridge, o: FrontendOptions & { readonly native: Platform }) {
    this.#bridge = bridge;
    this.#o = o;
    const sources = new SourceResolver({
      bridge,
      made: new Map(),
      session: { id: o.session, offerStore: () => undefined },
      configs: this.#configs,
      policies: [],
    });
    this.#host = new BridgeHost(
      {
        bridge,
        sources,
        clock: o.clock ?? systemClock,
        frontends: {},
        cacheImports: [],
        emit: (event) => {
          if (event.kind === 'warning') this.#warn(event.warning);
          if (event.kind === 'log') this.#o.log(Buffer.from(event.chunk).toString().trimEnd());
        },
        encode: (state) => this.#encode(state),
        layersOf: async () => {
          throw new TypeError('the layers of a tree are known once it is exported');
        },
        explain: (error) => remoteFailure(error, (wire) => this.#stepOf(wire)),
      },
      this.#inputs,
    );
  }

  async plan(frontend: Frontend, w: { readonly signal: AbortSignal }): Promise<ReturnType<typeof toWireResult>> {
    const { options, native } = this.#o;
    const { Definitions } = await this.#bridge.call((client, call) => client.inputs({}, call));
    for (const [name, definition] of Object.entries(Definitions))
      this.#inputs.set(name, (await decodeDefinition(definition, { platform: native, ...w })).root);
    const asked = (options['platform'] ?? '').split(',').filter((text) => text !== '');
    const epoch = Number(options['build-arg:SOURCE_DATE_EPOCH'] || Number.NaN);
    const request: FrontendRequest = {
      options,
      platforms: asked.length > 0 ? asked.map((text) => parsePlatform(text, native)) : [native],
      buildPlatform: native,
      ...(Number.isSafeInteger(epoch) && { epoch }),
    };
    const plan = await unlessCancelled(frontend(request, this.#host, w), w);
    return toWireResult(await returned(plan, this.#host));
  }

  /** Settles when all remarks are told; who does not listen is not waited for. */
  async told(): Promise<void> {
    await Promise.race([Promise.allSettled(this.#telling), sleep(1000)]);
  }

  /** A remark hangs on the first step that was asked for: the one that read what a person wrote. */
  #warn({ message, detail, url, place }: Warning): void {
    const digest = this.#encoded[0]?.result?.wire ?? '';
    const telling = this.#bridge.call((client, options) =>
      client.warn(
        {
          digest,
          level: 1n,
          short: Buffer.from(message),
          detail: detail === undefined ? [] : detail.split('\n').map((line) => Buffer.from(line)),
          url: url ?? '',
          ...(place && { info: sourceInfoOf(place), ranges: rangesOf(place) }),
        },
        options,
      ),
    );
    telling.catch(() => undefined);
    this.#telling.push(telling);
  }

  #encode(state: State): Definition {
    const encoded = encodeState(this.#rewriter.rewritten(state), { session: this.#o.session });
    this.#encoded.push(encoded);
    const { definition } = encoded;
    const source = sourceMapOf(definition, (wire) => encoded.vertexOf(wire));
    if (source) definition.Source = source;
    return definition;
  }

  #diffIdsOf(source: ImageSource): readonly Digest[] {
    const config = this.#configs.get(JSON.stringify(source));
    return config ? parseConfig(config).rootfs.diff_ids : [];
  }

  #stepOf(wire: string): ReturnType<EncodedDefinition['vertexOf']> {
    for (const encoded of this.#encoded) {
      const found = encoded.vertexOf(wire);
      if (found) return found;
    }
    return undefined;
  }
}
