import { cancelled, kindOf, messageOf, type Clock, type Wait } from '../../base/index.ts';
import type { BuildEvent, BuildRequest, BuildResult, Engine, ImageMetadata } from '../../engine/index.ts';
import type { Frontend } from '../../frontend/index.ts';
import { Steering, toFailure, type Steered } from '../../gateway/index.ts';
import type { SourcePolicy } from '../../graph/index.ts';
import type { BuildHost } from '../../worker/index.ts';
import type { FileSource } from '../../tree/index.ts';
import { create } from '../../wire/grpc/index.ts';
import { VertexWarningSchema } from '../../wire/gen/buildkit/control_pb.ts';
import type { WarnRequest } from '../../wire/gen/buildkit/gateway_pb.ts';
import { serveError } from '../errors.ts';
import type { BuildSpans } from '../tracing.ts';
import { StatusWriter } from './status-writer.ts';
import { Story } from './story.ts';

export interface BuildInit {
  readonly ref: string;
  readonly newId: (n: number) => string;
}

/** One solve: what a client asked for under a ref, its story, and the wheel that LLBBridge steers it by. */
export class Build implements Steered {
  readonly ref: string;
  readonly story = new Story();
  readonly steering: Steering;
  readonly writer: StatusWriter;
  readonly #stop = new AbortController();
  /** Text of the files that errors of this build point into. */
  readonly texts = new Map<string, string>();
  /** What its sources may be. */
  policies: readonly SourcePolicy[] = [];
  /** Options of the last frontend that was called. */
  options: Readonly<Record<string, string>> = {};
  /** What the client uploaded, until the build ends. */
  readonly uploads = new Map<string, FileSource>();
  /** Takes an archive that a client uploads to an address in its session: the name that its files go by. */
  upload: ((url: URL, w: Wait) => Promise<string>) | undefined;

  constructor({ ref, newId }: BuildInit) {
    this.ref = ref;
    this.steering = new Steering(newId);
    this.writer = new StatusWriter(this.story, (id) => this.steering.wireOf(id));
  }

  /** To the end of the exports. Throws statuses. */
  async run(
    engine: Engine,
    o: {
      readonly frontend: Frontend;
      readonly request: BuildRequest & ImageMetadata;
      readonly host: BuildHost;
      readonly signal: AbortSignal;
      readonly clock: Clock;
      readonly spans?: BuildSpans | undefined;
    },
  ): Promise<BuildResult> {
    let result: BuildResult | undefined;
    // Whoever steers may look at what has failed: the build waits for that, but for nobody who is gone.
    const left = (): void => this.steering.fail(cancelled(o.signal.reason));
    o.signal.addEventListener('abort', left, { once: true });
    if (o.signal.aborted) left();
    try {
      for await (const event of engine.drive(o.frontend, o.request, o.host, { signal: o.signal })) {
        this.#tell(event);
        o.spans?.event(event);
        if (event.kind === 'result') ({ result } = event);
      }
      if (!result) throw new Error('the engine gave no result');
      this.steering.end();
      return result;
    } catch (error) {
      this.steering.end(error);
      if (kindOf(error) === 'cancelled' && o.signal.aborted) throw toFailure(o.signal.reason, { texts: this.texts });
      throw toFailure(error, { texts: this.texts });
    } finally {
      o.signal.removeEventListener('abort', left);
    }
  }

  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  /** Cancels it. */
  stop(reason: string): void {
    this.#stop.abort(serveError('CLIENT_GONE', reason));
  }

  /** What the client remarks. */
  warn(request: WarnRequest): void {
    this.writer.counts.warnings += 1;
    this.writer.say({
      warnings: [
        create(VertexWarningSchema, {
          vertex: request.digest,
          level: request.level,
          short: request.short,
          detail: request.detail,
          url: request.url,
          ...(request.info && { info: request.info }),
          ranges: request.ranges,
        }),
      ],
    });
  }

  end(): void {
    this.story.end();
  }

  #tell(event: BuildEvent): void {
    try {
      this.writer.tell(event);
    } catch (error) {
      throw new Error(`tell of a build: ${messageOf(error)}`, { cause: error });
    }
  }
}
