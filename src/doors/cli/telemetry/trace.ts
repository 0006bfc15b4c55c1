import type { ReportStep } from '../report/report-data.ts';

type Value = { readonly stringValue: string } | { readonly intValue: string } | { readonly boolValue: boolean };

interface Attribute {
  readonly key: string;
  readonly value: Value;
}

/** A span as OTLP has it in JSON: ids in lower-case hexadecimal, 64-bit numbers as text (opentelemetry-proto trace.proto; OTLP specification, JSON Protobuf Encoding). */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  readonly name: string;
  /** 1: internal. */
  readonly kind: 1;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  /** 2: error. */
  readonly status?: { readonly code: 2; readonly message: string } | undefined;
}

/** A build as one trace: its span, one for each phase or stage in it, and one for each step in those. */
export interface Trace {
  readonly root: Span;
  readonly phases: readonly { readonly name: string; readonly span: Span; readonly steps: readonly StepSpan[] }[];
}

export interface StepSpan {
  readonly step: ReportStep;
  readonly span: Span;
}

/** What a trace hangs below (W3C Trace Context). */
export interface TraceParent {
  readonly traceId: string;
  readonly spanId?: string | undefined;
}

export interface TracedBuild {
  readonly title: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly steps: readonly ReportStep[];
  /** What it failed with. */
  readonly error?: { readonly code: string; readonly message: string } | undefined;
}

/** Makes the trace of a build; `spanId` gives new ids. */
export function traceOf(build: TracedBuild, o: { readonly parent: TraceParent; readonly spanId: () => string }): Trace {
  const { traceId } = o.parent;
  const { startedAt, endedAt, error } = build;
  const root: Span = {
    traceId,
    spanId: o.spanId(),
    parentSpanId: o.parent.spanId,
    name: 'build',
    kind: 1,
    ...times(startedAt, endedAt),
    attributes: attributes({ 'strake.build.target': build.title, 'error.type': error?.code }),
    status: error && { code: 2, message: error.message },
  };
  const timed = build.steps.filter(({ startedAt: at }) => at !== undefined);
  const phases = [...Map.groupBy(timed, ({ phase }) => phase)].map(([name, own]) => {
    const failed = own.find(({ state }) => state === 'failed');
    const span: Span = {
      traceId,
      spanId: o.spanId(),
      parentSpanId: root.spanId,
      name,
      kind: 1,
      ...times(
        Math.min(...own.map((step) => step.startedAt ?? endedAt)),
        Math.max(...own.map((step) => step.endedAt ?? endedAt)),
      ),
      attributes: attributes({ 'strake.phase': name }),
      status: failed && { code: 2, message: failed.error ?? failed.name },
    };
    const steps = own.map((step) => ({
      step,
      span: stepSpan(step, { traceId, parentSpanId: span.spanId, spanId: o.spanId(), endedAt }),
    }));
    return { name, span, steps };
  });
  return { root, phases };
}

function stepSpan(
  step: ReportStep,
  o: { readonly traceId: string; readonly spanId: string; readonly parentSpanId: string; readonly endedAt: number },
): Span {
  const { endedAt, ...ids } = o;
  const { name, number, phase, state, cached, place, why, error, internal } = step;
  const [, id, version] = moduleOf(name) ?? [];
  return {
    ...ids,
    name,
    kind: 1,
    ...times(step.startedAt ?? endedAt, step.endedAt ?? endedAt),
    attributes: attributes({
      'strake.phase': phase,
      'strake.step.number': number,
      'strake.step.state': state,
      'strake.step.internal': internal || undefined,
      'strake.cache.hit': cached !== undefined,
      'strake.cache.by': cached?.by,
      'strake.cache.from': cached?.from,
      'strake.cache.miss': why.length > 0 ? why.join('\n') : undefined,
      'code.file.path': place?.file,
      'code.line.number': place?.line,
      'buildpack.id': id,
      'buildpack.version': version,
    }),
    status: state === 'failed' ? { code: 2, message: error ?? name } : undefined,
  };
}

/** The id and the version of the buildpack that a step runs; undefined for any other step. */
export function moduleOf(name: string): readonly [whole: string, id: string, version: string] | undefined {
  const [whole, id, version] = /^\[(?:detect|build)\] (\S+)@(\S+)$/.exec(name) ?? [];
  return whole === undefined || id === undefined || version === undefined ? undefined : [whole, id, version];
}

/** All spans of a trace, parents first. */
export function spansOf({ root, phases }: Trace): Span[] {
  return [root, ...phases.flatMap(({ span, steps }) => [span, ...steps.map((one) => one.span)])];
}

/** What OTLP exchanges, in a request as in a line of a file: `ExportTraceServiceRequest` and `TracesData` are the same. */
export function tracesData(spans: readonly Span[], version: string): unknown {
  return {
    resourceSpans: [
      {
        resource: { attributes: attributes({ 'service.name': 'strake', 'service.version': version }) },
        scopeSpans: [{ scope: { name: 'strake', version }, spans }],
      },
    ],
  };
}

/** `00-TRACEID-SPANID-FLAGS`; undefined for what is none (W3C Trace Context 3.2). */
export function parseTraceParent(text: string | undefined): TraceParent | undefined {
  const [, version, traceId, spanId] =
    /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?$/.exec(text ?? '') ?? [];
  if (version === 'ff' || traceId === undefined || spanId === undefined) return undefined;
  return /^0+$/.test(traceId) || /^0+$/.test(spanId) ? undefined : { traceId, spanId };
}

function times(from: number, to: number): { readonly startTimeUnixNano: string; readonly endTimeUnixNano: string } {
  const nanoseconds = (at: number): string => `${BigInt(Math.round(at)) * 1_000_000n}`;
  return { startTimeUnixNano: nanoseconds(from), endTimeUnixNano: nanoseconds(Math.max(from, to)) };
}

function attributes(values: Readonly<Record<string, string | number | boolean | undefined>>): Attribute[] {
  return Object.entries(values).flatMap(([key, value]): Attribute[] => {
    if (value === undefined) return [];
    if (typeof value === 'string') return [{ key, value: { stringValue: value } }];
    return [{ key, value: typeof value === 'number' ? { intValue: `${value}` } : { boolValue: value } }];
  });
}
