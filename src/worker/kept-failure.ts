import type { Wait } from '../base/index.ts';
import { Lazy } from '../base/index.ts';
import type { ExecOp, Vertex } from '../graph/index.ts';
import type { Ref } from './ref.ts';

/** What a failed process step leaves, kept for as long as its session: the cause of its failure. */
export class KeptFailure {
  readonly vertex: Vertex;
  readonly op: ExecOp;
  readonly inputs: readonly Ref[];
  readonly #root: Lazy<Ref>;
  readonly #file: (index: number, w?: Wait) => Promise<Ref>;

  /** `root`: makes a tree of the root as the step left it; `file`: of one of the op's own files, alone in a tree as `file`. */
  constructor(o: {
    vertex: Vertex;
    op: ExecOp;
    inputs: readonly Ref[];
    root: () => Promise<Ref>;
    file: (index: number, w?: Wait) => Promise<Ref>;
  }) {
    this.vertex = o.vertex;
    this.op = o.op;
    this.inputs = o.inputs;
    this.#root = new Lazy(o.root);
    this.#file = o.file;
  }

  /** Made when it is asked for first. */
  root(w?: Wait): Promise<Ref> {
    return this.#root.get(w);
  }

  file(index: number, w?: Wait): Promise<Ref> {
    return this.#file(index, w);
  }
}

/** What is kept of the step that an error tells of. */
export function keptFailure(error: unknown): KeptFailure | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if (at.cause instanceof KeptFailure) return at.cause;
  return undefined;
}
