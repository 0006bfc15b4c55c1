import type { ErrorDetails, SourcePlace } from '../../../base/index.ts';
import type { Platform } from '../../../blob/index.ts';
import { vertex, type Edge, type Vertex, type VertexLabel } from '../../../graph/index.ts';
import { llbError } from './errors.ts';

/** A tree in a graph that is being decoded; undefined is the empty one. */
export type Tree = Edge | undefined;

/** An op of a definition, with all that decoding it needs. */
export interface OpContext {
  /** Its inputs, in its order. */
  readonly inputs: readonly Tree[];
  readonly label: VertexLabel;
  readonly platform: Platform;
  readonly fail: OpFailure;
}

/** What an op came to: its outputs by number, and the vertices made for it, the last one that which the outputs come from. */
export interface DecodedOp {
  readonly outputs: readonly Tree[];
  readonly vertices: readonly Vertex[];
  /** Steps that stand on each other in a graph that it was read from. */
  readonly depth?: number | undefined;
}

/** Errors that name the op and the field. */
export class OpFailure {
  readonly #what: string;
  readonly #place: SourcePlace | undefined;

  constructor(what: string, place: SourcePlace | undefined) {
    this.#what = what;
    this.#place = place;
  }

  invalid(field: string, detail: string): Error {
    return llbError('LLB_INVALID', `read ${this.#what}: ${field}: ${detail}`, this.#details('Repair the definition.'));
  }

  unsupported(field: string, detail = 'not supported'): Error {
    return llbError(
      'LLB_UNSUPPORTED',
      `read ${this.#what}: ${field}: ${detail}`,
      this.#details('Make the definition without it.'),
    );
  }

  #details(remedy: string): ErrorDetails {
    return { remedy, place: this.#place };
  }
}

/** A name for an op in errors. */
export function opName(kind: string, digest: string): string {
  return `${kind} op "${digest}"`;
}

/** The edge to a tree that a vertex can have for an input. */
export function edgeTo(tree: Tree): Edge {
  return tree ?? { vertex: SCRATCH, output: 0 };
}

export function isScratch(tree: Tree): boolean {
  return tree === undefined || (tree.vertex.op.kind === 'source' && tree.vertex.op.source.type === 'scratch');
}

export function sameTree(a: Tree, b: Tree): boolean {
  return a?.vertex.digest === b?.vertex.digest && a?.output === b?.output;
}

const SCRATCH: Vertex = vertex({ kind: 'source', source: { type: 'scratch' } }, [], {
  name: 'scratch',
  internal: true,
});

/** A number of the wire as ours. Throws for what is too large to be one. */
export function numberOf(value: bigint, field: string, fail: OpFailure): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw fail.invalid(field, `"${value}" is out of range`);
  return number;
}

/** An index into what an op has; undefined for -1. */
export function indexOf(value: bigint, count: number, o: { field: string; fail: OpFailure }): number | undefined {
  if (value === -1n) return undefined;
  const index = numberOf(value, o.field, o.fail);
  if (index < 0 || index >= count) throw o.fail.invalid(o.field, `there is no input "${value}"`);
  return index;
}
