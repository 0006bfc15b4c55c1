import { cancelled, CodedError, messageOf, sleep, type Wait } from '../base/index.ts';
import type { Container, Frontend, FrontendHost, FrontendRequest, Plan } from '../frontend/index.ts';
import { scratch, type State } from '../graph/index.ts';
import { encodeState } from '../wire/buildkit/index.ts';
import { LLBBridge, type WarnRequest } from '../wire/gen/buildkit/gateway_pb.ts';
import { DefinitionSchema, type Definition } from '../wire/gen/buildkit/ops_pb.ts';
import type { WorkerRecord } from '../wire/gen/buildkit/worker_pb.ts';
import { Health, HealthCheckResponse_ServingStatus } from '../wire/gen/grpc/health_pb.ts';
import { fromStatus, GrpcServer, StatusError, toBinary } from '../wire/grpc/index.ts';
import { bridgeOf } from './bridge.ts';
import { gatewayError } from './errors.ts';
import { placeOf } from './failure-place.ts';
import { checkFrontendCaps, wantsNoNetwork } from './frontend-caps.ts';
import { frontendEnvironment } from './frontend-environment.ts';
import { findFrontend, type FrontendImage } from './frontend-image.ts';
import { LogLines } from './log-lines.ts';
import { ProcessStream } from './process-stream.ts';
import type { Steered } from './steered.ts';
import { Steering } from './steering.ts';
import { ownWorker } from './worker.ts';

/** Frontends that may call each other. */
const DEPTH = 8;
/** Milliseconds that a frontend has to end once it has returned, or its connection has ended. */
const PATIENCE_MS = 5000;

/**
 * Frontends that are images (BuildKit's gateway.v0): option `source` names one, which runs in the sandbox of steps with LLBBridge on its standard input and output (frontend/gateway). What it writes to its error output is shown
 * as its log. Throws `FRONTEND_UNSUPPORTED`, `FRONTEND_FAILED`, `FRONTEND_NO_RESULT`, `FRONTEND_NESTED`, `SOLVE_INVALID`, and what the frontend says went wrong.
 */
export const gatewayFrontend: Frontend = async (request, host, w = {}) => {
  const { depth = 0 } = request;
  if (depth >= DEPTH)
    throw gatewayError('FRONTEND_NESTED', `run a frontend: ${DEPTH} frontends have called each other`, {
      remedy: 'See whether a frontend builds with the file that names it; options are to be handed on with "cmdline".',
    });
  const image = await findFrontend(request, host, w);
  const inputs = inputsOf(host);
  checkFrontendCaps(image, { options: request.options, inputs: inputs.size > 0 });
  if (!host.container)
    throw gatewayError('FRONTEND_UNSUPPORTED', `run frontend "${image.name}": there is no sandbox for it here`, {
      remedy: 'Name docker/dockerfile, which is built in, or build where steps are isolated.',
    });
  return host.task(`frontend ${image.name}`, (say) => new Run(image, { request, host, inputs, say }).plan(w));
};

interface RunInit {
  readonly request: FrontendRequest;
  readonly host: FrontendHost;
  readonly inputs: ReadonlyMap<string, State>;
  readonly say: (line: string) => void;
}

/** One frontend, from its start to its plan. */
class Run implements Steered {
  readonly steering = new Steering((n) => `ref-${n}`);
  readonly texts = new Map<string, string>();
  readonly depth: number;
  options: Readonly<Record<string, string>>;
  readonly #image: FrontendImage;
  readonly #o: RunInit;
  readonly #lines: LogLines;
  readonly #stream = new ProcessStream();
  readonly #workers: readonly WorkerRecord[];

  constructor(image: FrontendImage, o: RunInit) {
    this.#image = image;
    this.#o = o;
    this.#lines = new LogLines(o.say);
    this.#workers = [ownWorker(o.request.buildPlatform)];
    this.depth = (o.request.depth ?? 0) + 1;
    this.options = o.request.options;
  }

  async plan(w: Wait): Promise<Plan> {
    const { request, host } = this.#o;
    const ending = new AbortController();
    const signal = w.signal ? AbortSignal.any([w.signal, ending.signal]) : ending.signal;
    const server = new GrpcServer({
      routes: (router) => {
        router.service(
          LLBBridge,
          bridgeOf({ workers: () => this.#workers }, async () => this),
        );
        router.service(Health, { check: () => ({ status: HealthCheckResponse_ServingStatus.SERVING }) });
      },
    });
    try {
      await using container = await this.#container(w);
      const planned = this.steering.frontend(request, host, { signal });
      planned.catch(() => undefined);
      server.accept(this.#stream.connection);
      const exited = this.#run(container, signal);
      try {
        return await this.#outcome(planned, exited);
      } catch (error) {
        if (w.signal?.aborted) throw cancelled(w.signal.reason);
        throw error;
      } finally {
        ending.abort(gatewayError('BUILD_ENDED', 'the frontend has ended'));
        this.#stream.destroy();
        await exited.catch(() => undefined);
      }
    } finally {
      this.steering.end();
      this.#lines.end();
      await server[Symbol.asyncDispose]();
    }
  }

  inputs(): Record<string, Definition> {
    const { inputs } = this.#o;
    return Object.fromEntries([...inputs].map(([name, state]) => [name, encodeState(state).definition]));
  }

  warn({ short, detail, url, info, ranges }: WarnRequest): void {
    const [range] = ranges;
    const line = range?.start?.line;
    const text = Buffer.from(info?.data ?? []).toString();
    const endLine = range?.end?.line ?? line;
    this.#o.host.warn({
      code: 'FrontendWarning',
      message: Buffer.from(short).toString(),
      ...(detail.length > 0 && { detail: detail.map((one) => Buffer.from(one).toString()).join('\n') }),
      ...(url !== '' && { url }),
      ...(info &&
        line !== undefined &&
        line > 0 && {
          place: {
            file: info.filename,
            line,
            endLine,
            text: text
              .split('\n')
              .slice(line - 1, endLine)
              .join('\n'),
          },
        }),
    });
  }

  /** The image as a root that can be written to, and what it is made of under /run/config/buildkit/metadata. */
  async #container(w: Wait): Promise<Container> {
    const { host, request } = this.#o;
    const about = metadataOf(this.#image.state);
    const refs = [await host.solve(this.#image.state, w), ...(about ? [await host.solve(about, w)] : [])];
    const make = host.container?.bind(host);
    if (!make) throw new TypeError('there are no containers');
    return make(
      {
        mounts: [
          { type: 'bind', target: '/', input: 0, readonly: false },
          ...(about
            ? [{ type: 'bind' as const, target: '/run/config/buildkit/metadata', input: 1, readonly: true }]
            : []),
        ],
        refs,
        platform: request.buildPlatform,
        network: wantsNoNetwork(this.#image) ? 'none' : 'default',
      },
      w,
    );
  }

  async #run(container: Container, signal: AbortSignal): Promise<number> {
    const { config } = this.#image;
    const entrypoint = config.Entrypoint ?? [];
    try {
      return await container.run(
        {
          args: entrypoint.length > 0 ? entrypoint : ['/run'],
          env: frontendEnvironment(this.#image, this.#o.request, this.#workers),
          cwd: config.WorkingDir || '/',
          stdin: this.#stream.stdin(),
          stdout: (chunk) => this.#stream.stdout(chunk),
          stderr: (chunk) => this.#lines.push(chunk),
        },
        { signal },
      );
    } finally {
      this.#stream.end();
    }
  }

  /** A failure that was returned goes before one of the process, and that before what was returned. */
  async #outcome(planned: Promise<Plan>, exited: Promise<number>): Promise<Plan> {
    const told = planned.then(
      () => 'told' as const,
      () => 'told' as const,
    );
    const ended = exited.then(
      () => 'ended' as const,
      () => 'ended' as const,
    );
    const first = await Promise.race([told, ended, this.#stream.closed.then(() => 'closed' as const)]);
    const { garbage } = this.#stream;
    if (garbage !== undefined)
      throw this.#failed(`it wrote "${garbage.slice(0, 60)}" to its standard output, where gRPC is spoken`);
    // What was said before the end is heard out; who has said all has a while to end.
    const rest = first === 'ended' ? this.#stream.closed : ended;
    const enough = new AbortController();
    const isOver = await Promise.race([
      rest.then(() => true),
      sleep(PATIENCE_MS, { signal: enough.signal }).then(
        () => false,
        () => false,
      ),
    ]);
    enough.abort();
    const isTold = (await Promise.race([told, new Promise((resolve) => setImmediate(resolve))])) === 'told';
    if (isTold) await this.#told(planned);
    if (first === 'closed' && !isOver && !isTold) throw this.#failed('it ended its connection before it returned');
    if (isOver || first === 'ended') {
      const code = await exited;
      if (code !== 0) throw this.#failed(`it ended with exit code ${code}`);
    }
    if (isTold) return planned;
    throw gatewayError('FRONTEND_NO_RESULT', `run frontend "${this.#image.name}": it ended and returned nothing`, {
      remedy: 'See whether the image is a frontend of BuildKit.',
    });
  }

  /** Throws what the frontend returned as its failure. */
  async #told(planned: Promise<Plan>): Promise<void> {
    try {
      await planned;
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      const { kind } = fromStatus(error);
      throw new CodedError({
        code: 'FRONTEND_FAILED',
        kind: kind === 'internal' ? 'failed' : kind,
        message: messageOf(error),
        place: placeOf(error),
        cause: error,
      });
    }
  }

  #failed(what: string): CodedError {
    const last = this.#lines.last;
    return gatewayError('FRONTEND_FAILED', `run frontend "${this.#image.name}": ${what}${last && `: ${last}`}`, {
      remedy: 'See what it wrote to its log, and whether the image is a frontend of BuildKit.',
    });
  }
}

function inputsOf(host: FrontendHost): ReadonlyMap<string, State> {
  const names = host.inputNames?.() ?? [];
  return new Map(
    names.flatMap((name) => {
      const state = host.input(name);
      return state ? [[name, state] as const] : [];
    }),
  );
}

/** The definition that the frontend itself comes from, as a file; undefined where BuildKit has no words for it. */
function metadataOf(state: State): State | undefined {
  let definition: Definition;
  try {
    ({ definition } = encodeState(state));
  } catch {
    return undefined;
  }
  const content = Buffer.from(toBinary(DefinitionSchema, definition)).toString('base64');
  return scratch.file(
    [{ kind: 'mkfile', path: '/frontend.bin', mode: 0o400, content, encoding: 'base64', mtime: 0 }],
    [],
    { name: '[internal] what the frontend is made of', internal: true },
  );
}
