import { sleep } from '../base/index.ts';
import { bridgeService } from '../gateway/index.ts';
import { SESSION_CALL } from '../wire/buildkit/index.ts';
import { Control } from '../wire/gen/buildkit/control_pb.ts';
import { LLBBridge } from '../wire/gen/buildkit/gateway_pb.ts';
import { Content } from '../wire/gen/containerd/content_pb.ts';
import { Health, HealthCheckResponse_ServingStatus } from '../wire/gen/grpc/health_pb.ts';
import { ExportTraceServiceRequestSchema, TraceService } from '../wire/gen/otlp/trace_pb.ts';
import { toBinary, type RawHandler, type Router } from '../wire/grpc/index.ts';
import { Builds } from './control/builds.ts';
import { contentService } from './control/content.ts';
import { controlService } from './control/control.ts';
import { BuildRecordStore } from './control/history.ts';
import { serveSession } from './control/serve-session.ts';
import { Sessions } from './control/sessions.ts';
import { workerRecord } from './control/worker-record.ts';
import type { Served, ServerInit } from './served.ts';

/** An engine behind BuildKit's API. */
export class BuildServer {
  readonly #served: Served;
  readonly #draining = new AbortController();

  constructor(init: ServerInit) {
    this.#served = {
      ...init,
      builds: new Builds(),
      sessions: new Sessions(),
      records: new BuildRecordStore(init.database, { clock: init.clock, limits: init.history }),
      draining: this.#draining.signal,
      counts: { completed: 0, failed: 0, cancelled: 0, seconds: 0 },
    };
  }

  /** Calls that are served as bytes. */
  readonly raw: Readonly<Record<string, RawHandler>> = {
    [SESSION_CALL]: (request) => serveSession(request, this.#served),
  };

  readonly routes = (router: Router): void => {
    router.service(Control, controlService(this.#served));
    router.service(Content, contentService(this.#served));
    const { builds, info } = this.#served;
    const bridge = { workers: () => [workerRecord(info)] };
    router.service(
      LLBBridge,
      bridgeService(bridge, (ref, { signal }) => builds.get(ref, { signal })),
    );
    const forward = this.#served.tracing?.forward;
    // Without a collector nobody serves it: clients take that for an answer.
    if (forward)
      router.service(TraceService, {
        async export(request) {
          await forward(toBinary(ExportTraceServiceRequestSchema, request));
          return {};
        },
      });
    const status = (): { status: HealthCheckResponse_ServingStatus } => ({
      status: this.#draining.signal.aborted
        ? HealthCheckResponse_ServingStatus.NOT_SERVING
        : HealthCheckResponse_ServingStatus.SERVING,
    });
    router.service(Health, {
      check: () => status(),
      // eslint-disable-next-line require-yield
      async *watch() {
        yield status();
      },
    });
  };

  get counts(): Readonly<Served['counts']> {
    return this.#served.counts;
  }

  get sessions(): number {
    return this.#served.sessions.size;
  }

  get running(): number {
    return this.#served.builds.size;
  }

  /** Takes no new build, and waits for those that run, at most `patience` milliseconds; the rest is cancelled. */
  async drain(patience: number): Promise<void> {
    this.#draining.abort();
    const { builds, log } = this.#served;
    if (builds.size > 0) log(`finishing ${builds.size} builds`);
    const until = performance.now() + patience;
    while (builds.size > 0 && performance.now() < until) await sleep(50);
    for (const build of builds.running()) build.stop('the server is stopping');
    const last = performance.now() + 5000;
    while (builds.size > 0 && performance.now() < last) await sleep(20);
  }
}
