import { digestOf, type Digest, type Platform } from '../../../blob/index.ts';
import type { Edge, ExecOp, Source, State, Vertex } from '../../../graph/index.ts';
import {
  ChownOptSchema,
  DefinitionSchema,
  FileActionMkDirSchema,
  FileActionMkFileSchema,
  FileActionSchema,
  FileOpSchema,
  InputSchema,
  NamedUserOptSchema,
  OpMetadataSchema,
  OpSchema,
  UserOptSchema,
  type ChownOpt,
  type FileAction,
  type Input,
  type Op,
  type OpMetadata,
  type UserOpt,
} from '../../gen/buildkit/ops_pb.ts';
import { create, toBinary } from '../../grpc/index.ts';
import { formatPlatform } from '../../../image/index.ts';
import { CAPTURE_PROGRAMS } from './capture-programs.ts';
import { encodeExec, encodeResources, FILE } from './encode-exec.ts';
import { encodeFile } from './encode-file.ts';
import { encodeSource } from './encode-source.ts';
import { llbError } from './errors.ts';
import { toWirePlatform } from './wire-platform.ts';
import type { EncodedDefinition, EncodeOptions } from './types.ts';
import { isScratch } from './wire-op.ts';

/**
 * A state as a definition for BuildKit: the same bytes for the same graph, whoever makes it. Throws `LLB_UNSUPPORTED` for what BuildKit has no word for.
 */
export function encodeState(state: State, o: EncodeOptions = {}): EncodedDefinition {
  return new Encoder(o).encode(state);
}

/** A tree of the definition that is being written: an output of an op of it; undefined is the empty one. */
type WireTree = Input | undefined;

interface Written {
  readonly wire: string;
  /** By our output numbers. */
  readonly outputs: ReadonlyMap<number, WireTree>;
}

class Encoder {
  readonly #o: EncodeOptions;
  readonly #ops = new Map<string, { readonly bytes: Uint8Array; readonly metadata: OpMetadata }>();
  readonly #written = new Map<Digest, Written>();
  readonly #vertices = new Map<string, Vertex>();

  constructor(o: EncodeOptions) {
    this.#o = o;
  }

  encode(state: State): EncodedDefinition {
    const result = state.edge && this.#tree(state.edge);
    const wires = new Map([...this.#written].map(([digest, { wire }]) => [digest, wire]));
    const who = {
      vertexOf: (wire: string) => this.#vertices.get(wire),
      wireOf: (vertex: Digest) => wires.get(vertex),
    };
    if (!result) return { definition: create(DefinitionSchema, {}), result: undefined, ...who };
    const end = toBinary(OpSchema, create(OpSchema, { inputs: [result] }));
    const metadata = [...this.#ops]
      .map(([wire, op]) => [wire, op.metadata] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    const definition = create(DefinitionSchema, {
      def: [...[...this.#ops.values()].map(({ bytes }) => bytes), end],
      metadata: Object.fromEntries([...metadata, [digestOf(end), create(OpMetadataSchema, {})]]),
    });
    return { definition, result: { wire: result.digest, output: Number(result.index) }, ...who };
  }

  /** Writes what an edge needs, each op after those that it needs; no recursion, as graphs are deep. */
  #tree(root: Edge): WireTree {
    const stack: { readonly vertex: Vertex; open: boolean }[] = [{ vertex: root.vertex, open: false }];
    for (let item = stack.at(-1); item; item = stack.at(-1)) {
      const { vertex } = item;
      if (this.#written.has(vertex.digest)) stack.pop();
      else if (item.open) {
        stack.pop();
        this.#written.set(vertex.digest, this.#write(vertex));
      } else {
        item.open = true;
        const { replaced } = this.#replacement(vertex);
        for (const { vertex: input } of replaced ? [replaced] : vertex.inputs)
          if (!this.#written.has(input.digest)) stack.push({ vertex: input, open: false });
      }
    }
    return this.#output(root);
  }

  #output({ vertex, output }: Edge): WireTree {
    const { outputs } = this.#written.get(vertex.digest)!;
    if (outputs.has(output)) return outputs.get(output);
    throw llbError('LLB_INVALID', `write a definition: "${vertex.label.name}" has no output ${output}`);
  }

  /** What is used in place of a source, where somebody said so. */
  #replacement({ op }: Vertex): { readonly replaced: Edge | undefined; readonly empty: boolean } {
    const state = op.kind === 'source' ? this.#o.replace?.(op.source) : undefined;
    return { replaced: state?.edge, empty: state?.isScratch === true };
  }

  #write(vertex: Vertex): Written {
    const { op, inputs } = vertex;
    const { replaced, empty } = this.#replacement(vertex);
    if (replaced)
      return { wire: this.#written.get(replaced.vertex.digest)!.wire, outputs: new Map([[0, this.#output(replaced)]]) };
    if (empty || isScratch({ vertex, output: 0 })) return { wire: '', outputs: new Map([[0, undefined]]) };
    const wires = new WireInputs(inputs.map((input) => this.#output(input)));
    switch (op.kind) {
      case 'source': {
        const { platform, identifier, attrs } = encodeSource(op.source);
        const value = { identifier, attrs: sorted({ ...attrs, ...this.#sessionOf(op.source) }) };
        return this.#single(vertex, { op: { case: 'source', value: value as never } }, { platform, wires });
      }
      case 'file':
        return this.#single(vertex, { op: { case: 'file', value: encodeFile(op, wires) } }, { wires });
      case 'merge': {
        const merged = wires.numbers.filter((number) => number >= 0).map((input) => ({ input: BigInt(input) }));
        return this.#single(vertex, { op: { case: 'merge', value: { inputs: merged } as never } }, { wires });
      }
      case 'diff': {
        const [lower = -1, upper = -1] = wires.numbers;
        const value = { lower: { input: BigInt(lower) }, upper: { input: BigInt(upper) } };
        return this.#single(vertex, { op: { case: 'diff', value: value as never } }, { wires });
      }
      case 'exec':
        return this.#exec(vertex, op, wires);
      default:
        throw llbError('LLB_UNSUPPORTED', `write a definition: BuildKit has no op "${op.kind}"`);
    }
  }

  /** Whose files are meant: builds of different clients at the same time must not be taken for one. */
  #sessionOf({ type }: Source): Record<string, string> {
    const { session } = this.#o;
    if (session === undefined) return {};
    return type === 'local' ? { 'local.session': session } : type === 'oci-layout' ? { 'oci.session': session } : {};
  }

  #exec(vertex: Vertex, op: ExecOp, wires: WireInputs): Written {
    const { platform } = op;
    const { exec, outputs } = encodeExec(op, {
      numbers: wires.numbers,
      file: ({ name, data, mode }) => {
        const value = create(FileActionMkFileSchema, { path: `/${name}`, data, mode, timestamp: -1n });
        return wires.add(this.#made([{ case: 'mkfile', value }], PREPARING));
      },
      captureProgram: () => {
        const program = platform.os === 'linux' ? CAPTURE_PROGRAMS[platform.architecture] : undefined;
        if (program === undefined)
          throw llbError(
            'LLB_UNSUPPORTED',
            `write a definition: how "${op.args.join(' ')}" ends cannot be kept on ${formatPlatform(platform)}`,
            { remedy: 'Build it here, or for linux/amd64 or linux/arm64.' },
          );
        const value = { path: `/${FILE}`, data: Buffer.from(program, 'base64'), mode: 0o755, timestamp: -1n };
        return wires.add(this.#made([{ case: 'mkfile', value: create(FileActionMkFileSchema, value) }], PREPARING));
      },
      captured: () => {
        const root = op.mounts.find((mount) => mount.type === 'bind' && mount.target === '/');
        const base = root?.type === 'bind' ? wires.inputs[wires.numbers[root.input] ?? -1] : undefined;
        const owner = ownerOf(op.user, base !== undefined);
        const files = ['/status', '/output'].map((path) => {
          const value = create(FileActionMkFileSchema, {
            path,
            mode: 0o644,
            timestamp: -1n,
            ...(owner ? { owner } : {}),
          });
          return { case: 'mkfile', value } as const;
        });
        return wires.add(this.#made(files, PREPARING, base && [base]));
      },
      folder: ({ name, mode, uid, gid }) => {
        const id = (value: number) => ({ user: { case: 'byID', value } as const });
        const value = create(FileActionMkDirSchema, {
          path: `/${name}`,
          mode,
          owner: { user: id(uid), group: id(gid) },
          timestamp: -1n,
        });
        return wires.add(this.#made([{ case: 'mkdir', value }], PREPARING));
      },
    });
    const wire = this.#put(vertex, { op: { case: 'exec', value: exec } }, { platform, wires });
    const trees = outputs.flatMap((ours, index) => (ours === undefined ? [] : [[ours, inputOf(wire, index)] as const]));
    return { wire, outputs: new Map(trees) };
  }

  /** Actions on nothing, which are no vertex of ours. `inputs`: where owners are looked up. */
  #made(actions: readonly FileAction['action'][], name: string, inputs: readonly Input[] = []): Input {
    const row = actions.map((action, index) => {
      const input = index === 0 ? -1n : BigInt(inputs.length + index - 1);
      const output = index === actions.length - 1 ? 0n : -1n;
      return create(FileActionSchema, { input, secondaryInput: -1n, output, action });
    });
    const value = create(FileOpSchema, { actions: row });
    const op = create(OpSchema, { inputs: [...inputs], op: { case: 'file', value } });
    return inputOf(this.#add(op, create(OpMetadataSchema, { description: { 'llb.customname': name } })), 0);
  }

  #single(vertex: Vertex, op: Pick<Op, 'op'>, o: { platform?: Platform | undefined; wires: WireInputs }): Written {
    const wire = this.#put(vertex, op, o);
    return { wire, outputs: new Map([[0, inputOf(wire, 0)]]) };
  }

  #put(vertex: Vertex, op: Pick<Op, 'op'>, o: { platform?: Platform | undefined; wires: WireInputs }): string {
    const platform = o.platform && toWirePlatform(o.platform);
    const message = create(OpSchema, {
      ...op,
      inputs: [...o.wires.inputs],
      ...(platform ? { platform } : {}),
    });
    const wire = this.#add(message, metadataOf(vertex));
    this.#vertices.set(wire, vertex);
    return wire;
  }

  #add(op: Op, metadata: OpMetadata): string {
    const bytes = opBytes(op);
    const wire = digestOf(bytes);
    if (!this.#ops.has(wire)) this.#ops.set(wire, { bytes, metadata });
    return wire;
  }
}

const PREPARING = '[internal] preparing inline document';

/** A step's user as the owner of files; `root`: input 0 is where names are looked up. */
function ownerOf(user: string, root: boolean): ChownOpt | undefined {
  if (user === '') return undefined;
  const [name = '', group] = user.split(':');
  const who = (text: string): UserOpt => {
    if (/^[0-9]+$/.test(text)) return create(UserOptSchema, { user: { case: 'byID', value: Number(text) } });
    if (!root || text === 'root' || text === '') return create(UserOptSchema, { user: { case: 'byID', value: 0 } });
    return create(UserOptSchema, {
      user: { case: 'byName', value: create(NamedUserOptSchema, { name: text, input: 0n }) },
    });
  };
  return create(ChownOptSchema, { user: who(name), ...(group === undefined ? {} : { group: who(group) }) });
}

/** The inputs of a wire op: those of its vertex that are not empty, and what encoding it adds. */
class WireInputs {
  readonly inputs: Input[] = [];
  /** Of the vertex's inputs, by number; -1 for the empty tree. */
  readonly numbers: readonly number[];

  constructor(trees: readonly WireTree[]) {
    this.numbers = trees.map((tree) => (tree ? this.add(tree) : -1));
  }

  get count(): number {
    return this.inputs.length;
  }

  add(tree: Input): number {
    return this.inputs.push(tree) - 1;
  }
}

/** An op as Go writes it, with the member of its oneof after all else: BuildKit knows an op by the digest of what it writes itself. */
function opBytes(op: Op): Uint8Array {
  const { op: what, inputs, platform, constraints } = op;
  const rest = create(OpSchema, { inputs, ...(platform && { platform }), ...(constraints && { constraints }) });
  return Buffer.concat([toBinary(OpSchema, rest), toBinary(OpSchema, create(OpSchema, { op: what }))]);
}

/** Members in the order of their names, as Go writes maps where bytes must be the same. */
function sorted(attrs: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(attrs).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function inputOf(digest: string, index: number): Input {
  return create(InputSchema, { digest, index: BigInt(index) });
}

function metadataOf({ op, label }: Vertex): OpMetadata {
  const { name, written, group, ignoreCache = false } = label;
  const resources = op.kind === 'exec' ? op.resources : undefined;
  return create(OpMetadataSchema, {
    ignoreCache,
    description: {
      ...(written === undefined ? {} : { 'com.docker.dockerfile.v1.command': written }),
      'llb.customname': name,
    },
    ...(group === undefined ? {} : { progressGroup: { id: digestOf(group), name: group } }),
    ...(resources ? { linuxResources: encodeResources(resources) } : {}),
  });
}
