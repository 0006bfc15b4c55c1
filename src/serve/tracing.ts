import type { BuildEvent } from '../engine/index.ts';

/** Where builds are told of as spans. */
export interface Tracing {
  /** Hands spans of clients on: an `ExportTraceServiceRequest`. Absent: there is nobody to hand them to. */
  readonly forward?: ((request: Uint8Array) => Promise<void>) | undefined;
  /** Begins the span of a build; `parent` is the caller's, as W3C's `traceparent` says it. */
  begin(o: { readonly title: string; readonly parent: string | undefined }): BuildSpans;
}

/** One build as it is heard. */
export interface BuildSpans {
  event(event: BuildEvent): void;
  /** Its spans in the form that BuildKit keeps them in (`application/vnd.buildkit.otlp.json.v0`); they are sent, too, beside whatever comes next. */
  end(failure?: unknown): Uint8Array;
}
