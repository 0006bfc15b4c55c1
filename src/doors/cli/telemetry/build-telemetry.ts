import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import {
  CodedError,
  drain,
  firstFailure,
  HttpClient,
  hasErrno,
  messageOf,
  reasonOf,
  redactUrl,
  withoutSecrets,
} from '../../../base/index.ts';
import type { BuildEvent } from '../../../engine/index.ts';
import { cliError, usage } from '../errors.ts';
import type { Io } from '../io.ts';
import { ReportRecorder } from '../report/report-recorder.ts';
import { ownVersion } from '../version.ts';
import { moduleOf, parseTraceParent, spansOf, traceOf, tracesData, type Span, type Trace } from './trace.ts';

/** Milliseconds that a collector has for its answer. */
const PATIENCE = 10_000;

export interface TelemetryOptions {
  readonly io: Pick<Io, 'clock' | 'random' | 'cwd' | 'env'>;
  readonly title: string;
  /** The phases are those of buildpacks, not stages. */
  readonly isApp: boolean;
  /** `--otlp`. */
  readonly endpoint?: string | undefined;
  /** `--trace-dir`. */
  readonly folder?: string | undefined;
}

/** `--otlp` and `--trace-dir`: hears the events of a build and tells of it as a trace when it is over, however it ended. What comes in the way of that is no failure of the build. */
export class BuildTelemetry {
  readonly #o: TelemetryOptions;
  readonly #url: URL | undefined;
  readonly #folder: string | undefined;
  readonly #startedAt: number;
  readonly #recorder = new ReportRecorder({ logs: false });

  /** Throws `USAGE` for what is no address, `OUTPUT_INVALID` and `OUTPUT_DENIED` for a folder that cannot be. */
  constructor(o: TelemetryOptions) {
    this.#o = o;
    this.#startedAt = o.io.clock.now();
    this.#url = o.endpoint === undefined ? undefined : tracesUrl(o.endpoint);
    this.#folder = o.folder === undefined ? undefined : resolve(o.io.cwd, o.folder);
    if (this.#folder === undefined) return;
    try {
      mkdirSync(this.#folder, { recursive: true });
    } catch (error) {
      const denied = hasErrno(error, 'EACCES', 'EPERM', 'EROFS');
      throw cliError(
        denied ? 'OUTPUT_DENIED' : 'OUTPUT_INVALID',
        `make the folder of --trace-dir "${o.folder}": ${reasonOf(error)}`,
        { cause: error, remedy: 'Name a folder that this user may write to.' },
      );
    }
  }

  event(event: BuildEvent): void {
    this.#recorder.event(event);
  }

  /** Writes and sends the trace; gives what came in the way. */
  async finish(thrown?: unknown): Promise<readonly string[]> {
    const { io, title } = this.#o;
    const endedAt = io.clock.now();
    const error = thrown === undefined ? undefined : firstFailure(thrown);
    const trace = traceOf(
      {
        title,
        startedAt: this.#startedAt,
        endedAt,
        steps: this.#recorder.steps(endedAt),
        error:
          error === undefined
            ? undefined
            : {
                code: error instanceof CodedError ? error.code : 'DEFECT',
                message: withoutSecrets(messageOf(error)),
              },
      },
      {
        parent: parseTraceParent(io.env['TRACEPARENT']) ?? { traceId: io.random.hex(16) },
        spanId: () => io.random.hex(8),
      },
    );
    const problems: string[] = [];
    try {
      if (this.#folder !== undefined) this.#write(trace, this.#folder);
    } catch (problem) {
      problems.push(`write to --trace-dir "${this.#o.folder}": ${messageOf(problem)}`);
    }
    try {
      if (this.#url) await this.#send(trace, this.#url);
    } catch (problem) {
      problems.push(`send the trace to "${redactUrl(this.#url?.href ?? '')}": ${messageOf(problem)}`);
    }
    return problems;
  }

  /** A line for each file, after those of builds before (OTLP file exporter; buildpacks RFC 0131, Telemetry files). */
  #write(trace: Trace, folder: string): void {
    const { version } = ownVersion();
    const files = new Map<string, Span[]>([['build.jsonl', [trace.root]]]);
    const add = (name: string, span: Span): void => {
      const spans = files.get(name);
      if (spans) spans.push(span);
      else files.set(name, [span]);
    };
    for (const phase of trace.phases) {
      const own = `${this.#o.isApp ? 'lifecycle' : 'stages'}/${fileName(phase.name)}.jsonl`;
      add(own, phase.span);
      for (const { step, span } of phase.steps) {
        const [, id, release] = moduleOf(step.name) ?? [];
        const isModule = this.#o.isApp && id !== undefined;
        add(isModule ? `buildpacks/${fileName(`${id}@${release}`)}-${fileName(phase.name)}.jsonl` : own, span);
      }
    }
    for (const [name, spans] of files) {
      const path = join(folder, name);
      mkdirSync(dirname(path), { recursive: true });
      appendFileSync(path, `${JSON.stringify(tracesData(spans, version))}\n`);
    }
  }

  /** OTLP/HTTP with JSON (OTLP specification, OTLP/HTTP). */
  async #send(trace: Trace, url: URL): Promise<void> {
    const body = Buffer.from(JSON.stringify(tracesData(spansOf(trace), ownVersion().version)));
    await using client = new HttpClient({ env: this.#o.io.env });
    await using response = await client.request({
      method: 'POST',
      url,
      headers: {
        'content-type': 'application/json',
        'content-length': `${body.length}`,
        ...headersOf(this.#o.io.env['OTEL_EXPORTER_OTLP_HEADERS']),
      },
      body,
      idleTimeout: PATIENCE,
      // The build may be over because its signal was given: this is still told.
      signal: AbortSignal.timeout(PATIENCE),
    });
    await drain(response.body);
    if (response.status < 200 || response.status > 299) throw new Error(`it answers with status ${response.status}`);
  }
}

/** The address for traces below a collector's, unless it is that already. */
function tracesUrl(text: string): URL {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol))
    throw usage(
      `read --otlp "${withoutSecrets(text)}": it is no http or https address`,
      'Name a collector, as http://localhost:4318.',
    );
  if (!url.pathname.endsWith('/v1/traces')) url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/traces`;
  return url;
}

/** `name=value,…`, values percent-encoded (OpenTelemetry Protocol Exporter, Specifying headers). What is none of that is passed over. */
function headersOf(text = ''): Record<string, string> {
  const found: Record<string, string> = {};
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    const name = part.slice(0, Math.max(0, at)).trim().toLowerCase();
    if (!/^[\w!#$%&'*+.^|~-]+$/.test(name)) continue;
    try {
      found[name] = decodeURIComponent(part.slice(at + 1).trim());
    } catch {
      // Not percent-encoded as it should be.
    }
  }
  return found;
}

/** A name as a file's, with nothing in it that leads elsewhere. */
function fileName(text: string): string {
  return text
    .replaceAll(/[^\w.@+-]+/g, '_')
    .replace(/^\.+/, '_')
    .slice(0, 200);
}
