import {
  scratch,
  sourceState,
  State,
  vertex,
  type Edge,
  type ExecOp,
  type ImageSource,
  type Vertex,
} from '../../graph/index.ts';
import { remoteError } from './errors.ts';

/**
 * Graphs with what BuildKit has no word for said otherwise: one layer of an image is what its layers up to that one have and those below it have not; a root that is written to and not kept is an output that nobody takes.
 */
export class Rewriter {
  readonly #diffIdsOf: (source: ImageSource) => readonly string[];
  readonly #known = new Map<Vertex, Vertex>();

  /** `diffIdsOf`: of a whole image that was resolved. */
  constructor(o: { readonly diffIdsOf: (source: ImageSource) => readonly string[] }) {
    this.#diffIdsOf = o.diffIdsOf;
  }

  rewritten(state: State): State {
    const { edge } = state;
    if (!edge) return state;
    const stack: Vertex[] = [edge.vertex];
    for (let next = stack.at(-1); next; next = stack.at(-1)) {
      const missing = next.inputs.filter((input) => !this.#known.has(input.vertex));
      if (this.#known.has(next)) stack.pop();
      else if (missing.length > 0) stack.push(...missing.map((input) => input.vertex));
      else {
        stack.pop();
        this.#known.set(next, this.#rewrite(next));
      }
    }
    return new State(this.#edge(edge));
  }

  #edge({ vertex: old, output }: Edge): Edge {
    return { vertex: this.#known.get(old) ?? old, output };
  }

  #rewrite(old: Vertex): Vertex {
    const inputs = old.inputs.map((input) => this.#edge(input));
    const { op } = old;
    if (op.kind === 'exec' && op !== withRoot(op)) return vertex(withRoot(op), inputs, old.label);
    if (op.kind === 'source' && op.source.type === 'image' && op.source.layer !== undefined)
      return this.#layerOf(op.source, old);
    const isSame = inputs.every(({ vertex: input }, at) => input === old.inputs[at]?.vertex);
    return isSame ? old : vertex(op, inputs, old.label);
  }

  #layerOf({ layer, ...image }: ImageSource, { label }: Vertex): Vertex {
    const at = this.#diffIdsOf(image).indexOf(layer ?? '');
    if (at < 0)
      throw remoteError('REMOTE_REQUEST', `find layer "${layer}" of "${image.reference}": the image has no such layer`);
    const upTo = (count: number): State =>
      count === 0 ? scratch : sourceState({ ...image, layerLimit: count }, { name: label.name, internal: true });
    return State.diff(upTo(at), upTo(at + 1), label).edge!.vertex;
  }
}

/** BuildKit lets a process write to its root only where that becomes an output: here one that nobody takes. */
function withRoot(op: ExecOp): ExecOp {
  const at = op.mounts.findIndex((mount) => mount.type === 'bind' && mount.target === '/');
  const root = op.mounts[at];
  if (root?.type !== 'bind' || root.readonly || root.output !== undefined) return op;
  return { ...op, mounts: op.mounts.with(at, { ...root, output: firstFree(op) }) };
}

function firstFree({ mounts, capture }: ExecOp): number {
  const taken = mounts.map((mount) => (mount.type === 'bind' ? (mount.output ?? -1) : -1));
  return 1 + Math.max(capture?.output ?? -1, ...taken);
}
