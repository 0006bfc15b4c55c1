import type { Digest } from '../../../blob/index.ts';
import type { State, Vertex } from '../../../graph/index.ts';

/** A definition (pb.Definition) as states, and who is who. */
export interface DecodedDefinition {
  /** What its last op returns. Scratch where it returns nothing. */
  readonly root: State;
  /** By the digest that the client knows an op by: the vertex that its outputs come from. Undefined for one that is no step here (the last op). */
  vertexOf(wire: string): Vertex | undefined;
  /** The digests that the client knows a vertex by: what is said of the vertex is said of all of them. Empty for what is ours alone. */
  wireOf(vertex: Digest): readonly string[];
}
