import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import {
  CodedError,
  firstFailure,
  hasErrno,
  messageOf,
  reasonOf,
  redactUrl,
  withoutSecrets,
} from '../../../base/index.ts';
import type { BuildEvent } from '../../../engine/index.ts';
import { cliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { ReportRecorder } from '../report/report-recorder.ts';
import { ownVersion } from '../version.ts';
import { sendSpans, tracesUrl } from './send-spans.ts';
import { moduleOf, parseTraceParent, spansOf, traceOf, tracesData, type Span, type Trace } from './trace.ts';

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
    this.#url = o.endpoint === undefined ? undefined : tracesUrl(o.endpoint, '--otlp');
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
      if (this.#url) await sendSpans(jsonOf(trace), { url: this.#url, env: io.env, type: 'application/json' });
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
}

function jsonOf(trace: Trace): Uint8Array {
  return Buffer.from(JSON.stringify(tracesData(spansOf(trace), ownVersion().version)));
}

/** A name as a file's, with nothing in it that leads elsewhere. */
function fileName(text: string): string {
  return text
    .replaceAll(/[^\w.@+-]+/g, '_')
    .replace(/^\.+/, '_')
    .slice(0, 200);
}
