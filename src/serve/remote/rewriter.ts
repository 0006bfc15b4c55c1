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

/** Runs its arguments, and keeps their end and words (at most 4 MiB) as files; the words also go where they went, at their end. */
const FOLDER = '/.strake-outcome';
const PROGRAM = [
  `"$@" >${FOLDER}/all 2>&1`,
  'code=$?',
  `head -c 4194304 ${FOLDER}/all >${FOLDER}/output`,
  `rm -f ${FOLDER}/all`,
  `cat ${FOLDER}/output`,
  `printf %s "$code" >${FOLDER}/status`,
].join('; ');

/**
 * Graphs with what BuildKit has no word for said otherwise: a step that tells how it ended (`ExecOp.capture`) has a shell write that into a folder, which becomes the output (it needs a shell in the step's root); one layer of an image
 * is what its layers up to that one have and those below it have not.
 */
export class Rewriter {
  readonly #diffIdsOf: (source: ImageSource) => readonly string[];
  readonly #known = new Map<Vertex, Rewritten>();

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
    const made = this.#known.get(old);
    if (made?.outcome && made.number === output) return made.outcome;
    return { vertex: made?.vertex ?? old, output };
  }

  #rewrite(old: Vertex): Rewritten {
    const inputs = old.inputs.map((input) => this.#edge(input));
    const { op } = old;
    if (op.kind === 'exec' && op.capture) return captured(withRoot(op), inputs, old);
    if (op.kind === 'exec' && op !== withRoot(op)) return { vertex: vertex(withRoot(op), inputs, old.label) };
    if (op.kind === 'source' && op.source.type === 'image' && op.source.layer !== undefined)
      return this.#layerOf(op.source, old);
    const isSame = inputs.every(({ vertex: input }, at) => input === old.inputs[at]?.vertex);
    return { vertex: isSame ? old : vertex(op, inputs, old.label) };
  }

  #layerOf({ layer, ...image }: ImageSource, { label }: Vertex): Rewritten {
    const at = this.#diffIdsOf(image).indexOf(layer ?? '');
    if (at < 0)
      throw remoteError('REMOTE_REQUEST', `find layer "${layer}" of "${image.reference}": the image has no such layer`);
    const upTo = (count: number): State =>
      count === 0 ? scratch : sourceState({ ...image, layerLimit: count }, { name: label.name, internal: true });
    return { vertex: State.diff(upTo(at), upTo(at + 1), label).edge!.vertex };
  }
}

interface Rewritten {
  readonly vertex: Vertex;
  /** What takes the place of the output of this number. */
  readonly outcome?: Edge | undefined;
  readonly number?: number | undefined;
}

function captured({ capture, ...op }: ExecOp, inputs: readonly Edge[], { label }: Vertex): Rewritten {
  const number = capture?.output ?? 0;
  // The other outputs keep their numbers.
  const own = firstFree({ ...op, capture });
  const made = vertex(
    {
      ...op,
      args: ['/bin/sh', '-c', PROGRAM, 'sh', ...op.args],
      mounts: [
        ...op.mounts,
        { type: 'bind', target: FOLDER, source: '/outcome', input: inputs.length, readonly: false, output: own },
      ],
    },
    [...inputs, folderFor(op.user)],
    label,
  );
  const outcome = State.files(
    {
      actions: [
        {
          kind: 'copy',
          from: { input: 1 },
          sources: ['/outcome/status', '/outcome/output'],
          destination: '/',
          wildcard: false,
          parents: false,
          unpack: false,
          followDestination: true,
        },
      ],
    },
    [new State({ vertex: made, output: own })],
    { name: `${label.name}: how it ended`, group: label.group, internal: true },
  );
  return { vertex: made, outcome: outcome.edge, number };
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

/** A folder that the process may write to. */
function folderFor(user: string): Edge {
  const [uid = '0', gid = uid] = /^\d+(?::\d+)?$/.test(user) ? user.split(':') : [];
  const made = scratch.file(
    [
      {
        kind: 'mkdir',
        path: '/outcome',
        mode: 0o755,
        parents: false,
        mtime: 0,
        owner: { user: Number(uid), group: Number(gid) },
      },
    ],
    [],
    { name: 'prepare for how it ends', internal: true },
  );
  return made.edge!;
}
