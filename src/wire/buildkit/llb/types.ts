import type { Wait } from '../../../base/index.ts';
import type { Digest, Platform } from '../../../blob/index.ts';
import type { Source, SourcePolicy, State, Vertex } from '../../../graph/index.ts';
import type { Definition } from '../../gen/buildkit/ops_pb.ts';

/** A definition (pb.Definition) as states, and who is who. */
export interface DecodedDefinition {
  /** What its last op returns. Scratch where it returns nothing. */
  readonly root: State;
  /** By the digest that the client knows an op by: the vertex that its outputs come from. Undefined for one that is no step here (the last op, the empty tree). */
  vertexOf(wire: string): Vertex | undefined;
  /** The digests that the client knows a vertex by: what is said of the vertex is said of all of them. Empty for what is ours alone. */
  wireOf(vertex: Digest): readonly string[];
}

export interface DecodeOptions extends Wait {
  /** For ops that name none. */
  readonly platform: Platform;
  /** Solves the state that an op `build` is given and reads the file of it that holds the definition. Absent: such ops are refused. */
  readonly readDefinition?: ((state: State, path: string, w?: Wait) => Promise<Uint8Array>) | undefined;
  /** What its sources may be. */
  readonly policies?: readonly SourcePolicy[] | undefined;
}

export interface EncodeOptions {
  /** The tree to use in place of a source, for those that BuildKit has not: bases of packages, archives. */
  readonly replace?: ((source: Source) => State | undefined) | undefined;
  /** The session that the files and layouts of the asking side are read from. */
  readonly session?: string | undefined;
}

/** A state as a definition, and who is who. */
export interface EncodedDefinition {
  /** Empty for scratch. */
  readonly definition: Definition;
  /** The op that the result comes from, and which of its outputs it is. Undefined for scratch. */
  readonly result: { readonly wire: string; readonly output: number } | undefined;
  /** What an op is here; undefined for one that was added to the graph. */
  vertexOf(wire: string): Vertex | undefined;
  /** The digest that BuildKit knows a vertex by. */
  wireOf(vertex: Digest): string | undefined;
}
