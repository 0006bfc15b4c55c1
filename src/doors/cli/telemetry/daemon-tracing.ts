import {
  CodedError,
  firstFailure,
  messageOf,
  redactUrl,
  withoutSecrets,
  type Clock,
  type Random,
} from '../../../base/index.ts';
import type { BuildEvent } from '../../../engine/index.ts';
import { ReportRecorder } from '../report/report-recorder.ts';
import { ownVersion } from '../version.ts';
import { sendSpans, tracesUrl } from './send-spans.ts';
import { spanStubs } from './span-stubs.ts';
import { parseTraceParent, spansOf, traceOf, tracesData } from './trace.ts';

/** What a daemon's builds are told with: kept on record, and sent where OpenTelemetry's variables name a collector (OTLP over HTTP). */
export interface DaemonTracing {
  readonly forward?: ((request: Uint8Array) => Promise<void>) | undefined;
  begin(o: { readonly title: string; readonly parent: string | undefined }): {
    event(event: BuildEvent): void;
    end(failure?: unknown): Uint8Array;
  };
}

/** Throws `USAGE` for what is no address. */
export function daemonTracing(o: {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  /** Told of what came in the way. */
  readonly warn: (text: string) => void;
}): DaemonTracing {
  const { env, clock, random } = o;
  const url = collectorOf(env, o.warn);
  const send = async (body: Uint8Array, type: 'application/json' | 'application/x-protobuf'): Promise<void> => {
    if (!url) return;
    try {
      await sendSpans(body, { url, env, type });
    } catch (error) {
      o.warn(`send spans to "${redactUrl(url.href)}": ${messageOf(error)}`);
    }
  };
  return {
    ...(url && { forward: (request: Uint8Array) => send(request, 'application/x-protobuf') }),
    begin: ({ title, parent }) => {
      const startedAt = clock.now();
      const recorder = new ReportRecorder({ logs: false });
      return {
        event: (event) => recorder.event(event),
        end: (failure) => {
          const endedAt = clock.now();
          const error = failure === undefined ? undefined : firstFailure(failure);
          const trace = traceOf(
            {
              title,
              startedAt,
              endedAt,
              steps: recorder.steps(endedAt),
              error:
                error === undefined
                  ? undefined
                  : {
                      code: error instanceof CodedError ? error.code : 'FAILED',
                      message: withoutSecrets(messageOf(error)),
                    },
            },
            { parent: parseTraceParent(parent) ?? { traceId: random.hex(16) }, spanId: () => random.hex(8) },
          );
          const spans = spansOf(trace);
          const { version } = ownVersion();
          if (url) void send(Buffer.from(JSON.stringify(tracesData(spans, version))), 'application/json');
          return spanStubs(spans, version);
        },
      };
    },
  };
}

/** OTEL_EXPORTER_OTLP_TRACES_ENDPOINT as it is, else below OTEL_EXPORTER_OTLP_ENDPOINT. */
function collectorOf(env: Readonly<Record<string, string | undefined>>, warn: (text: string) => void): URL | undefined {
  const own = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] || undefined;
  const common = env['OTEL_EXPORTER_OTLP_ENDPOINT'] || undefined;
  const text = own ?? common;
  if (text === undefined || env['OTEL_SDK_DISABLED'] === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none')
    return undefined;
  const protocol = env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] || env['OTEL_EXPORTER_OTLP_PROTOCOL'] || 'http/protobuf';
  if (protocol === 'grpc') {
    warn('OTEL_EXPORTER_OTLP_PROTOCOL=grpc: spans are sent over HTTP only; name the HTTP port of the collector (4318)');
    return undefined;
  }
  return tracesUrl(text, own === undefined ? 'OTEL_EXPORTER_OTLP_ENDPOINT' : 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT');
}
