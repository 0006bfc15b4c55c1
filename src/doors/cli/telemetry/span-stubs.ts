import type { Span } from './trace.ts';

const NOTHING = { traceId: '0'.repeat(32), spanId: '0'.repeat(16) };

/** Spans as BuildKit keeps them with a build on record: one JSON object after the other, as Go's SDK prints them (sdk/trace/tracetest, SpanStub). */
export function spanStubs(spans: readonly Span[], version: string): Uint8Array {
  const children = Map.groupBy(spans, ({ parentSpanId }) => parentSpanId);
  const lines = spans.map((span) =>
    JSON.stringify({
      Name: span.name,
      SpanContext: contextOf(span),
      Parent: contextOf(
        span.parentSpanId === undefined ? NOTHING : { traceId: span.traceId, spanId: span.parentSpanId },
      ),
      SpanKind: span.kind,
      StartTime: timeOf(span.startTimeUnixNano),
      EndTime: timeOf(span.endTimeUnixNano),
      Attributes: span.attributes.map(({ key, value }) => ({ Key: key, Value: valueOf(value) })),
      Events: null,
      Links: null,
      Status: { Code: span.status ? 'Error' : 'Unset', Description: span.status?.message ?? '' },
      DroppedAttributes: 0,
      DroppedEvents: 0,
      DroppedLinks: 0,
      ChildSpanCount: children.get(span.spanId)?.length ?? 0,
      Resource: [{ Key: 'service.name', Value: { Type: 'STRING', Value: 'strake' } }],
      InstrumentationLibrary: { Name: 'strake', Version: version, SchemaURL: '' },
    }),
  );
  return Buffer.from(lines.map((line) => `${line}\n`).join(''));
}

function contextOf({ traceId, spanId }: { readonly traceId: string; readonly spanId: string }): unknown {
  return { TraceID: traceId, SpanID: spanId, TraceFlags: '01', TraceState: '', Remote: false };
}

function timeOf(nanoseconds: string): string {
  return new Date(Number(BigInt(nanoseconds) / 1_000_000n)).toISOString();
}

function valueOf(value: Span['attributes'][number]['value']): unknown {
  if ('stringValue' in value) return { Type: 'STRING', Value: value.stringValue };
  return 'intValue' in value
    ? { Type: 'INT64', Value: Number(value.intValue) }
    : { Type: 'BOOL', Value: value.boolValue };
}
