import { kindOf, messageOf, throwIfCancelled } from '../../../base/index.ts';
import { digestOf, type Digest } from '../../../blob/index.ts';
import { scratch, State, vertex, type Vertex } from '../../../graph/index.ts';
import {
  DefinitionSchema,
  OpSchema,
  type BuildOp,
  type Definition,
  type DiffOp,
  type MergeOp,
  type Op,
  type PassthroughOp,
} from '../../gen/buildkit/ops_pb.ts';
import { fromBinary } from '../../grpc/index.ts';
import { decodeExec } from './decode-exec.ts';
import { decodeFile } from './decode-file.ts';
import { decodeSource } from './decode-source.ts';
import { llbError } from './errors.ts';
import { oddField } from './known-fields.ts';
import { policedWire } from './policy.ts';
import { labelOf, Places } from './label.ts';
import type { DecodedDefinition, DecodeOptions } from './types.ts';
import { edgeTo, indexOf, isScratch, OpFailure, opName, type DecodedOp, type OpContext, type Tree } from './wire-op.ts';
import { fromWirePlatform } from './wire-platform.ts';

const MOST_OPS = 100_000;
/** Steps that stand on each other: each may be a layer, and the solver goes down them. */
const MOST_DEEP = 2000;
const DEEPEST_BUILD = 16;
const LLB_BUILDER = -1n;
const DEFINITION_INPUT = 'buildkit.llb.definition';

/**
 * A definition of BuildKit's as ours. Only what its last op needs is read. Definitions that ops `build` name are read on the way. Throws `LLB_INVALID`, `LLB_UNSUPPORTED` naming op and field, `LLB_TOO_LARGE`, and what
 * `readDefinition` throws.
 */
export async function decodeDefinition(definition: Definition, o: DecodeOptions): Promise<DecodedDefinition> {
  const known = new Known();
  const { tree: root } = await decodeTree(definition, { ...o, known, depth: 0 });
  return {
    root: root && !isScratch(root) ? new State(root) : scratch,
    vertexOf: (wire) => known.vertices.get(wire),
    wireOf: (digest) => known.wires.get(digest) ?? [],
  };
}

/** Who is who, over all definitions of one decoding. */
class Known {
  readonly vertices = new Map<string, Vertex>();
  readonly wires = new Map<Digest, string[]>();
  ops = 0;

  add(wire: string, { vertices, outputs }: DecodedOp): void {
    const from = outputs.find((output) => output !== undefined && !isScratch(output))?.vertex;
    const main = vertices.at(-1) ?? from;
    if (!main) return;
    this.vertices.set(wire, main);
    for (const { digest } of vertices.length > 0 ? vertices : [main]) {
      const wires = this.wires.get(digest);
      if (!wires) this.wires.set(digest, [wire]);
      else if (!wires.includes(wire)) wires.push(wire);
    }
  }
}

interface Decoding extends DecodeOptions {
  readonly known: Known;
  readonly depth: number;
}

interface WireOp {
  readonly digest: string;
  readonly op: Op;
  done: DecodedOp | undefined;
  open: boolean;
  name: string;
  /** How many steps stand below its outputs, with its own. */
  depth: number;
}

/** What a definition returns, and how many steps stand on each other there. */
interface Returned {
  readonly tree: Tree;
  readonly depth: number;
}

async function decodeTree(definition: Definition, d: Decoding): Promise<Returned> {
  if (definition.def.length === 0) return { tree: undefined, depth: 0 };
  checkFields(definition, new OpFailure('definition', undefined), new Set(['def', 'definition']));
  const ops = readOps(definition, d);
  const places = new Places(definition.Source);
  const last = [...ops.values()].at(-1)!;
  const [result] = last.op.inputs;
  if (last.op.op.case !== undefined || !result) throw invalid(`read definition: its last op returns nothing`);
  const stack = [opOf(ops, result.digest)];
  for (let wire = stack.at(-1); wire; wire = stack.at(-1)) {
    if (wire.done) {
      stack.pop();
    } else if (wire.open) {
      stack.pop();
      wire.done = await decodeOp(wire, { definition, ops, places, d });
      wire.depth = depthOf(wire, ops);
      d.known.add(wire.digest, wire.done);
    } else {
      wire.open = true;
      for (const { digest } of wire.op.inputs) {
        const input = opOf(ops, digest);
        if (input.open && !input.done) throw invalid(`read definition: op "${digest}" needs itself`);
        if (!input.done) stack.push(input);
      }
    }
  }
  const wire = opOf(ops, result.digest);
  return { tree: outputOf(wire, result.index, new OpFailure('the last op', undefined)), depth: wire.depth };
}

function readOps(definition: Definition, { known }: Decoding): Map<string, WireOp> {
  known.ops += definition.def.length;
  if (known.ops > MOST_OPS)
    throw llbError('LLB_TOO_LARGE', `read definition: it has more than ${MOST_OPS} ops`, {
      remedy: 'Make it of several definitions.',
    });
  const ops = new Map<string, WireOp>();
  for (const [index, bytes] of definition.def.entries()) {
    let op: Op;
    try {
      op = fromBinary(OpSchema, bytes);
    } catch (error) {
      throw invalid(`read op ${index} of definition: ${messageOf(error)}`, error);
    }
    const digest = digestOf(bytes);
    // The last one counts as last also where it is there twice.
    ops.delete(digest);
    ops.set(digest, { digest, op, done: undefined, open: false, name: '', depth: 0 });
  }
  return ops;
}

function depthOf({ op, done }: WireOp, ops: ReadonlyMap<string, WireOp>): number {
  // A graph that was read from a step's result has a depth of its own.
  let below = done?.depth ?? 0;
  for (const { digest } of op.inputs) below = Math.max(below, opOf(ops, digest).depth);
  const depth = below + (done?.vertices.length ?? 0);
  if (depth > MOST_DEEP)
    throw llbError('LLB_TOO_LARGE', `read definition: more than ${MOST_DEEP} steps stand on each other`, {
      remedy: 'Put more into a step.',
    });
  return depth;
}

function opOf(ops: ReadonlyMap<string, WireOp>, digest: string): WireOp {
  const op = ops.get(digest);
  if (!op) throw invalid(`read definition: op "${digest}" is needed and not in it`);
  return op;
}

function outputOf(wire: WireOp, index: bigint, fail: OpFailure): Tree {
  const { outputs } = wire.done!;
  if (index < 0n || index >= BigInt(outputs.length))
    throw fail.invalid('inputs', `op "${wire.digest}" has no output "${index}"`);
  return outputs[Number(index)];
}

interface Around {
  readonly definition: Definition;
  readonly ops: ReadonlyMap<string, WireOp>;
  readonly places: Places;
  readonly d: Decoding;
}

async function decodeOp(wire: WireOp, { definition, ops, places, d }: Around): Promise<DecodedOp> {
  throwIfCancelled(d);
  const { op, digest } = wire;
  const { case: kind } = op.op;
  const place = places.of(digest);
  const fail = new OpFailure(opName(kind ?? 'unknown', digest), place);
  checkFields(op, fail, new Set(['def']));
  const metadata = Object.hasOwn(definition.metadata, digest) ? definition.metadata[digest] : undefined;
  const from = op.inputs.map(({ digest: input }) => opOf(ops, input));
  const label = labelOf(op, { metadata, place, inputs: from.map(({ name }) => name) });
  wire.name = label.name;
  const inputs = op.inputs.map(({ index }, at) => outputOf(from[at]!, index, fail));
  const c: OpContext = {
    inputs,
    label,
    fail,
    platform: op.platform ? fromWirePlatform(op.platform, d.platform) : d.platform,
  };
  const { op: content } = op;
  switch (content.case) {
    case 'source': {
      // The policy looks at what the client said.
      const made = vertex(
        { kind: 'source', source: decodeSource(policedWire(content.value, d.policies ?? []), c) },
        [],
        label,
      );
      return { outputs: [{ vertex: made, output: 0 }], vertices: [made] };
    }
    case 'exec':
      return decodeExec(content.value, metadata?.linuxResources, c);
    case 'file':
      return decodeFile(content.value, c);
    case 'merge':
      return decodeMerge(content.value, c);
    case 'diff':
      return decodeDiff(content.value, c);
    case 'passthrough':
      return decodePassthrough(content.value, c);
    case 'build':
      return decodeBuild(content.value, c, d);
    default:
      throw fail.unsupported('op', 'it is of no known kind');
  }
}

function checkFields(message: unknown, fail: OpFailure, skip?: ReadonlySet<string>): void {
  const odd = oddField(message, skip);
  if (odd?.kind === 'unknown') throw fail.unsupported(odd.field, 'not known to this version');
  if (odd) throw fail.invalid(odd.field, 'it has a zero byte');
}

/** What lies empty adds nothing, and one tree alone is that tree. */
function decodeMerge(merge: MergeOp, { inputs, label, fail }: OpContext): DecodedOp {
  const parts = merge.inputs.map(({ input }, index) => {
    const at = indexOf(input, inputs.length, { field: `inputs[${index}]`, fail });
    return at === undefined ? undefined : inputs[at];
  });
  const solid = parts.filter((part) => !isScratch(part));
  if (solid.length <= 1) return { outputs: [solid[0]], vertices: [] };
  const made = vertex({ kind: 'merge' }, solid.map(edgeTo), label);
  return { outputs: [{ vertex: made, output: 0 }], vertices: [made] };
}

function decodeDiff({ lower, upper }: DiffOp, { inputs, label, fail }: OpContext): DecodedOp {
  if (!lower || !upper) throw fail.invalid(lower ? 'upper' : 'lower', 'there is none');
  const [below, above] = Object.entries({ lower, upper }).map(([field, { input }]) => {
    const at = indexOf(input, inputs.length, { field, fail });
    return at === undefined ? undefined : inputs[at];
  });
  const made = vertex({ kind: 'diff' }, [edgeTo(below), edgeTo(above)], label);
  return { outputs: [{ vertex: made, output: 0 }], vertices: [made] };
}

function decodePassthrough({ id, outputs }: PassthroughOp, { inputs, fail }: OpContext): DecodedOp {
  if (id === '') throw fail.invalid('id', 'it is empty');
  if (outputs.length === 0) throw fail.invalid('outputs', 'there are none');
  return {
    outputs: outputs.map((input, index) => {
      const field = `outputs[${index}]`;
      const at = indexOf(input, inputs.length, { field, fail });
      if (at === undefined) throw fail.invalid(field, 'it is none of the inputs');
      return inputs[at];
    }),
    vertices: [],
  };
}

/** A graph that another step's result holds. */
async function decodeBuild(build: BuildOp, { inputs, fail }: OpContext, d: Decoding): Promise<DecodedOp> {
  if (build.builder !== LLB_BUILDER) throw fail.unsupported('builder', 'only LLB builder is currently allowed');
  if (build.def) throw fail.unsupported('def');
  const given = Object.hasOwn(build.inputs, DEFINITION_INPUT) ? build.inputs[DEFINITION_INPUT] : undefined;
  for (const name of Object.keys(build.inputs))
    if (name !== DEFINITION_INPUT) throw fail.unsupported(`inputs["${name}"]`);
  if (!given) throw fail.invalid('inputs', `no llb definition input ${DEFINITION_INPUT} found`);
  const at = indexOf(given.input, inputs.length, { field: `inputs["${DEFINITION_INPUT}"]`, fail });
  if (at === undefined) throw fail.invalid(`inputs["${DEFINITION_INPUT}"]`, 'it is none of the inputs');
  const { 'llbbuild.filename': path = DEFINITION_INPUT, ...attrs } = build.attrs;
  for (const name of Object.keys(attrs)) throw fail.unsupported(`attribute "${name}"`);
  if (!d.readDefinition) throw fail.unsupported('op', 'ops "build" are not supported here');
  if (d.depth >= DEEPEST_BUILD) throw fail.unsupported('op', `more than ${DEEPEST_BUILD} builds in each other`);
  const input = inputs[at];
  const bytes = await d.readDefinition(input ? new State(input) : scratch, path, { signal: d.signal });
  let inner: Definition;
  try {
    inner = fromBinary(DefinitionSchema, bytes);
  } catch (error) {
    if (kindOf(error) === 'cancelled') throw error;
    throw fail.invalid('inputs', `"${path}" holds no definition: ${messageOf(error)}`);
  }
  const { tree, depth } = await decodeTree(inner, { ...d, depth: d.depth + 1 });
  return { outputs: [tree], vertices: [], depth };
}

function invalid(message: string, cause?: unknown): Error {
  return llbError('LLB_INVALID', message, { remedy: 'Repair the definition.', cause });
}
