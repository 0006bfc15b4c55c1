import { canonicalJson, type Json, type SourcePlace } from '../base/index.ts';
import { digestOf, type Digest } from '../blob/index.ts';
import type { Op } from './op.ts';

/** One of the outputs of a vertex. */
export interface Edge {
  readonly vertex: Vertex;
  readonly output: number;
}

/** What is said about a step without being part of what it is. */
export interface VertexLabel {
  /** As shown to people: `[build 2/5] RUN make`. */
  readonly name: string;
  /** The instruction as a person wrote it, variables not expanded, without line breaks. */
  readonly written?: string | undefined;
  /** The variables that take part in it, to say which is another one where the step is. */
  readonly variables?: readonly StepVariable[] | undefined;
  /** Shown together as one group (a stage, a buildpack). */
  readonly group?: string | undefined;
  /** Where a person wrote it. */
  readonly place?: SourcePlace | undefined;
  /** Shown as part of the machinery: loading the Dockerfile, resolving a base. */
  readonly internal?: boolean | undefined;
  /** Never taken from the cache in this solve. */
  readonly ignoreCache?: boolean | undefined;
}

export interface StepVariable {
  readonly name: string;
  readonly value: string;
  readonly from: 'ARG' | 'ENV';
}

/** A step with its inputs. Two vertices with one digest are one step. */
export interface Vertex {
  readonly digest: Digest;
  readonly op: Op;
  readonly inputs: readonly Edge[];
  readonly label: VertexLabel;
}

/** A vertex from its op and inputs; its digest is that of the canonical JSON of both. */
export function vertex(op: Op, inputs: readonly Edge[], label: VertexLabel): Vertex {
  const identity = {
    op: op as unknown as Json,
    inputs: inputs.map((edge) => ({ digest: edge.vertex.digest, output: edge.output })),
  };
  return { digest: digestOf(canonicalJson(identity)), op, inputs, label };
}
