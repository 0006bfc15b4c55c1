import type { CopyAction, ExecOp, FileAction, FileOp, Op, Source } from './op.ts';
import { vertex, type Edge, type VertexLabel } from './vertex.ts';

/** An immutable value one builds graphs with: a tree that does not exist yet. Each method gives the state after a further step. Scratch has no edge: nothing runs to make it. */
export class State {
  readonly edge: Edge | undefined;

  constructor(edge: Edge | undefined) {
    this.edge = edge;
  }

  /** True for the empty tree. */
  get isScratch(): boolean {
    return this.edge === undefined;
  }

  /** After `actions`; action sources `{ input: n }` with n ≥ 1 refer to `inputs[n - 1]`. */
  file(actions: readonly FileAction[], inputs: readonly State[], label: VertexLabel): State {
    return new State({ vertex: vertex({ kind: 'file', actions }, [this, ...inputs].map(edgeOf), label), output: 0 });
  }

  copy(from: State, action: Omit<CopyAction, 'kind' | 'from'>, label: VertexLabel): State {
    return this.file([{ ...action, kind: 'copy', from: { input: 1 } }], [from], label);
  }

  /** A tree of its own made by `actions` alone, its layer's bytes in a dialect; action sources `{ input: n }` with n ≥ 1 refer to `inputs[n - 1]`. */
  static files(op: Omit<FileOp, 'kind'>, inputs: readonly State[], label: VertexLabel): State {
    return new State({ vertex: vertex({ ...op, kind: 'file' }, [scratch, ...inputs].map(edgeOf), label), output: 0 });
  }

  /** After a process; mount inputs n ≥ 1 refer to `inputs[n - 1]`. */
  exec(op: Omit<ExecOp, 'kind'>, inputs: readonly State[], label: VertexLabel): State {
    return new State({ vertex: vertex({ ...op, kind: 'exec' }, [this, ...inputs].map(edgeOf), label), output: 0 });
  }

  /** The outputs of a process, as many as are asked for; mount inputs refer to `inputs`. */
  static outputs(
    op: Omit<ExecOp, 'kind'>,
    inputs: readonly State[],
    o: { count: number; label: VertexLabel },
  ): State[] {
    const made = vertex({ ...op, kind: 'exec' }, inputs.map(edgeOf), o.label);
    return Array.from({ length: o.count }, (_, output) => new State({ vertex: made, output }));
  }

  /** The given states laid over each other, the last on top. */
  static merge(states: readonly State[], label: VertexLabel): State {
    const solid = states.filter((state) => !state.isScratch);
    if (solid.length <= 1) return solid[0] ?? scratch;
    return new State({ vertex: vertex({ kind: 'merge' }, solid.map(edgeOf), label), output: 0 });
  }

  /** What `upper` has and `lower` has not. */
  static diff(lower: State, upper: State, label: VertexLabel): State {
    return new State({ vertex: vertex({ kind: 'diff' }, [lower, upper].map(edgeOf), label), output: 0 });
  }
}

/** The empty tree. */
export const scratch: State = new State(undefined);

export function sourceState(source: Source, label: VertexLabel): State {
  return new State({ vertex: vertex({ kind: 'source', source }, [], label), output: 0 });
}

const SCRATCH_OP: Op = { kind: 'source', source: { type: 'scratch' } };

function edgeOf(state: State): Edge {
  return state.edge ?? { vertex: vertex(SCRATCH_OP, [], { name: 'scratch', internal: true }), output: 0 };
}
