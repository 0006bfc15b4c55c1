import { vertex, type Edge, type Vertex } from '../../../graph/index.ts';
import type { FileAction as WireAction, FileOp as WireFile } from '../../gen/buildkit/ops_pb.ts';
import { ActionList, decodeAction, ownerInputs } from './decode-action.ts';
import { edgeTo, indexOf, type DecodedOp, type OpContext, type Tree } from './wire-op.ts';

/**
 * Changes to trees. Actions that follow each other are one vertex, and so one layer, as BuildKit makes it; one whose result is used otherwise (an output, the source of a copy, where names of owners are looked up, the
 * beginning of two others) ends its vertex.
 */
export function decodeFile(file: WireFile, c: OpContext): DecodedOp {
  if (file.actions.length === 0) throw c.fail.invalid('actions', 'there are none');
  return new FileDecoder(file.actions, c).decode();
}

/** A reference of an action to an input of the op or to the result of another action. */
type Place = { readonly input: number } | { readonly action: number } | undefined;

interface Node {
  readonly wire: WireAction;
  readonly field: string;
  readonly base: Place;
  readonly from: Place;
  readonly owners: readonly { readonly which: 'userInput' | 'groupInput'; readonly place: Place }[];
}

/** Actions in a row, on what they begin with. */
interface Chain {
  readonly base: Tree;
  /** The base as the wire names it, where it is an input of the op. */
  readonly baseInput: number | undefined;
  readonly nodes: Node[];
}

class FileDecoder {
  readonly #c: OpContext;
  readonly #nodes: readonly Node[];
  /** The action that each output is the result of. */
  readonly #outputs: readonly number[];
  readonly #made: Vertex[] = [];
  readonly #results = new Map<number, Edge>();

  constructor(actions: readonly WireAction[], c: OpContext) {
    this.#c = c;
    this.#nodes = actions.map((wire, index) => this.#node(wire, index, actions.length));
    this.#outputs = outputsOf(actions, c);
  }

  decode(): DecodedOp {
    const order = this.#order();
    const ends = this.#ends(order);
    const chains = new Map<number, Chain>();
    const alone = ends.size === 1;
    for (const index of order) {
      const node = this.#nodes[index]!;
      const open = node.base && 'action' in node.base ? chains.get(node.base.action) : undefined;
      const chain = open ?? { base: this.#tree(node.base), baseInput: inputOf(node.base), nodes: [] };
      chain.nodes.push(node);
      if (ends.has(index)) this.#results.set(index, this.#close(chain, alone));
      else chains.set(index, chain);
    }
    const outputs = this.#outputs.map((action) => this.#results.get(action)!);
    return { outputs, vertices: this.#made };
  }

  #node(wire: WireAction, index: number, count: number): Node {
    const field = `actions[${index}]`;
    const place = (value: bigint, name: string): Place => {
      const inputs = this.#c.inputs.length;
      const at = indexOf(value, inputs + count, { field: `${field}.${name}`, fail: this.#c.fail });
      if (at === undefined) return undefined;
      return at < inputs ? { input: at } : { action: at - inputs };
    };
    const owners = ownerInputs(wire, { field, fail: this.#c.fail }).map(({ which, value }) => {
      const found = place(value, 'owner');
      if (!found) throw this.#c.fail.invalid(`${field}.owner`, 'invalid user index: -1');
      return { which, place: found };
    });
    return { wire, field, base: place(wire.input, 'input'), from: this.#from(wire, place), owners };
  }

  #from(wire: WireAction, place: (value: bigint, name: string) => Place): Place {
    const found = place(wire.secondaryInput, 'secondaryInput');
    return wire.action.case === 'copy' ? found : undefined;
  }

  /** The actions that outputs need, each after what it needs itself. */
  #order(): readonly number[] {
    const order: number[] = [];
    const seen = new Map<number, 'open' | 'done'>();
    const stack = [...this.#outputs];
    for (let index = stack.at(-1); index !== undefined; index = stack.at(-1)) {
      if (seen.get(index) !== undefined) {
        stack.pop();
        if (seen.get(index) === 'open') order.push(index);
        seen.set(index, 'done');
        continue;
      }
      seen.set(index, 'open');
      for (const need of needsOf(this.#nodes[index]!)) {
        if (seen.get(need) === 'open') throw this.#c.fail.invalid(`actions[${index}]`, 'it needs its own result');
        if (seen.get(need) === undefined) stack.push(need);
      }
    }
    return order;
  }

  /** The actions whose results are used other than as what one other action begins with. */
  #ends(order: readonly number[]): ReadonlySet<number> {
    const ends = new Set(this.#outputs);
    const begun = new Set<number>();
    for (const index of order) {
      const { base, from, owners } = this.#nodes[index]!;
      for (const place of [from, ...owners.map((owner) => owner.place)])
        if (place && 'action' in place) ends.add(place.action);
      if (!base || !('action' in base)) continue;
      if (begun.has(base.action)) ends.add(base.action);
      begun.add(base.action);
    }
    return ends;
  }

  #tree(place: Place): Tree {
    if (!place) return undefined;
    return 'input' in place ? this.#c.inputs[place.input] : this.#results.get(place.action);
  }

  /** The vertex of a chain. Alone, it has all inputs of the op, in their order; else those that it uses. */
  #close(chain: Chain, alone: boolean): Edge {
    const inputs = [edgeTo(chain.base)];
    const numbers = new Map<string, number>();
    if (chain.baseInput !== undefined) numbers.set(`${chain.baseInput}`, 0);
    const add = (key: string, tree: Tree): number => {
      const known = numbers.get(key);
      if (known !== undefined) return known;
      numbers.set(key, inputs.push(edgeTo(tree)) - 1);
      return inputs.length - 1;
    };
    const number = (place: Place): number => {
      if (!place) return add('scratch', undefined);
      return add('input' in place ? `${place.input}` : `action ${place.action}`, this.#tree(place));
    };
    if (alone) for (const [index, tree] of this.#c.inputs.entries()) add(`${index}`, tree);
    const actions = new ActionList();
    for (const { wire, field, from, owners } of chain.nodes) {
      const lookUp: { userInput?: number; groupInput?: number } = {};
      for (const { which, place } of owners) {
        const input = number(place);
        if (input !== 0) lookUp[which] = input;
      }
      const source = wire.action.case === 'copy' ? number(from) : 0;
      actions.add(decodeAction(wire, { field, fail: this.#c.fail, source, lookUp }));
    }
    const made = vertex({ kind: 'file', actions: actions.list() }, inputs, this.#c.label);
    this.#made.push(made);
    return { vertex: made, output: 0 };
  }
}

function inputOf(place: Place): number | undefined {
  return place && 'input' in place ? place.input : undefined;
}

function needsOf({ base, from, owners }: Node): readonly number[] {
  return [base, from, ...owners.map(({ place }) => place)].flatMap((place) =>
    place && 'action' in place ? [place.action] : [],
  );
}

function outputsOf(actions: readonly WireAction[], { fail }: OpContext): readonly number[] {
  const outputs = new Map<number, number>();
  for (const [index, { output }] of actions.entries()) {
    if (output === -1n) continue;
    if (output < 0n || output >= BigInt(actions.length))
      throw fail.invalid(`actions[${index}].output`, `"${output}" is out of range`);
    if (outputs.has(Number(output))) throw fail.invalid(`actions[${index}].output`, `duplicate output ${output}`);
    outputs.set(Number(output), index);
  }
  if (outputs.size === 0) throw fail.invalid('actions', 'no outputs specified');
  return Array.from({ length: outputs.size }, (_, output) => {
    const action = outputs.get(output);
    if (action === undefined) throw fail.invalid('actions', `missing output index ${output}`);
    return action;
  });
}
