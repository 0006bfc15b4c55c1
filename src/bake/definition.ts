import {
  evaluate,
  hclError,
  placed,
  standardFunctions,
  ValueError,
  withVariables,
  type Attribute,
  type Block,
  type Body,
  type Expression,
  type FunctionSpec,
  type FunctionWorld,
  type Scope,
  type Value,
} from '../hcl/index.ts';
import { DefinitionBlocks, type DefinitionWarning } from './definition-blocks.ts';
import type { Group, Target } from './target.ts';
import { Variable, type GivenVariable, type VariableInfo } from './variables.ts';

/** Names within names: what refers to itself ends here at the latest. */
const MAX_DEPTH = 100;

export interface DefinitionOptions {
  readonly given: GivenVariable;
  /** BAKE_CMD_CONTEXT and BAKE_LOCAL_PLATFORM. */
  readonly builtins: ReadonlyMap<string, string>;
  readonly world: FunctionWorld;
}

/** What files come to. */
export interface Config {
  readonly groups: readonly Group[];
  readonly targets: readonly Target[];
  readonly variables: readonly VariableInfo[];
  readonly warnings: readonly DefinitionWarning[];
}

/** Evaluates the bodies of HCL files as one, on top of what compose files said (buildx, hclparser.Parse). Throws `HCL_EVALUATION` with the place. */
export function readDefinition(
  bodies: readonly Body[],
  o: DefinitionOptions,
  before: Pick<Config, 'groups' | 'targets'>,
): Config {
  const blocks = bodies.flatMap((body) => body.blocks);
  for (const block of blocks) checkLabels(block);
  const names = new Names(bodies, blocks, o);
  const variables = names.resolveVariables();
  names.resolveFunctions();
  const found = new DefinitionBlocks(blocks, names.scope);
  names.blocks = found;
  const config = found.collect(before);
  names.resolveAttributes();
  return { ...config, variables, warnings: found.warnings };
}

function checkLabels(block: Block): void {
  if (!['variable', 'function', 'target', 'group'].includes(block.type)) return;
  const [label, another] = block.labels;
  if (label && !another) return;
  throw hclError('HCL_EVALUATION', `a ${block.type} has one label, its name`, {
    place: block.source.place(another?.range ?? block.typeRange),
    remedy: `Write ${block.type} "name" { … }.`,
  });
}

/** What names mean in these files; each is evaluated when it is first asked for. */
class Names {
  blocks: DefinitionBlocks | undefined;
  readonly scope: Scope;
  readonly #o: DefinitionOptions;
  readonly #variables = new Map<string, Variable>();
  readonly #attributes = new Map<string, Attribute>();
  readonly #functionBlocks = new Map<string, Block>();
  readonly #functions = new Map<string, FunctionSpec>();
  readonly #values: Map<string, Value>;
  readonly #running = new Set<string>();
  #depth = 0;

  constructor(bodies: readonly Body[], blocks: readonly Block[], o: DefinitionOptions) {
    this.#o = o;
    this.#values = new Map(o.builtins);
    this.scope = {
      world: o.world,
      variable: (name) => this.#variable(name),
      function: (name) => this.#function(name),
      names: (kind) => this.#names(kind),
    };
    for (const { attributes } of bodies)
      for (const attribute of attributes)
        if (!this.#attributes.has(attribute.name)) this.#attributes.set(attribute.name, attribute);
    for (const block of blocks) {
      const name = block.labels[0]?.text ?? '';
      if (block.type === 'function') this.#functionBlocks.set(name, block);
      if (block.type === 'variable' && !o.builtins.has(name))
        this.#variables.set(name, new Variable(block, this.scope));
    }
  }

  resolveVariables(): readonly VariableInfo[] {
    const variables = [...this.#variables.values()];
    const infos = variables.map((variable) => {
      const { source, labels, typeRange } = variable.block;
      const value = this.#placed({ source, range: labels[0]?.range ?? typeRange }, () => this.#variable(variable.name));
      return variable.info(value ?? null);
    });
    for (const variable of variables) variable.validate(this.scope);
    return infos;
  }

  resolveFunctions(): void {
    for (const [name, { source, labels, typeRange }] of this.#functionBlocks)
      this.#placed({ source, range: labels[0]?.range ?? typeRange }, () => this.#function(name));
  }

  resolveAttributes(): void {
    for (const { name, source, range } of this.#attributes.values())
      this.#placed({ source, range }, () => this.#variable(name));
  }

  #placed<T>(at: Pick<Expression, 'source' | 'range'>, read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw placed(error, at.source.place(at.range));
    }
  }

  #names(kind: 'variable' | 'function'): Iterable<string> {
    if (kind === 'function') return [...this.#functionBlocks.keys(), ...standardFunctions.keys()];
    return [...this.#o.builtins.keys(), ...this.#variables.keys(), ...this.#attributes.keys()];
  }

  #variable(name: string): Value | undefined {
    const known = this.#values.get(name);
    if (known !== undefined) return known;
    const attribute = this.#attributes.get(name);
    const variable = this.#variables.get(name);
    if (!attribute && !variable) return this.blocks?.objectOf(name);
    return this.#once(`variable cycle not allowed for ${name}`, `variable ${name}`, () => {
      const value = attribute
        ? evaluate(attribute.expression, this.scope)
        : (variable?.value(this.scope, {
            given: this.#o.given,
            isKnown: (other) => this.#variables.has(other) || this.#o.builtins.has(other),
          }) ?? null);
      this.#values.set(name, value);
      return value;
    });
  }

  #function(name: string): FunctionSpec | undefined {
    const standard = standardFunctions.get(name);
    if (standard) return standard;
    const known = this.#functions.get(name);
    if (known) {
      if (this.#running.has(`function ${name}`)) throw new ValueError(`function cycle not allowed for ${name}`);
      return known;
    }
    const block = this.#functionBlocks.get(name);
    if (!block) return undefined;
    const spec = this.#userFunction(name, block);
    this.#functions.set(name, spec);
    return spec;
  }

  /** A `function` block: its arguments by name, then its result. */
  #userFunction(name: string, block: Block): FunctionSpec {
    const find = (wanted: string): Attribute | undefined => block.body.attributes.find((one) => one.name === wanted);
    const [params, result, rest] = [find('params'), find('result'), find('variadic_params')];
    if (!result) throw new ValueError(`empty result not allowed for ${name}`);
    if (!params) throw new ValueError(`empty params not allowed for ${name}`);
    if (params.expression.kind !== 'tuple')
      throw hclError('HCL_EVALUATION', 'params is a list of names', {
        place: params.source.place(params.expression.range),
      });
    const names = params.expression.items.map(keyword);
    const further = rest && keyword(rest.expression);
    const parameter = { type: { kind: 'any' }, nullable: true } as const;
    return {
      parameters: names.map(() => parameter),
      variadic: further === undefined ? undefined : parameter,
      run: (args) => {
        const values = new Map(names.map((each, at) => [each, args[at] ?? null] as const));
        if (further !== undefined) values.set(further, args.slice(names.length));
        return this.#once(`function cycle not allowed for ${name}`, `function ${name}`, () =>
          evaluate(result.expression, withVariables(this.scope, values)),
        );
      },
    };
  }

  #once<T>(cycle: string, key: string, read: () => T): T {
    if (this.#running.has(key)) throw new ValueError(cycle);
    if (this.#depth >= MAX_DEPTH) throw new ValueError(`more than ${MAX_DEPTH} names hang on each other`);
    this.#running.add(key);
    this.#depth += 1;
    try {
      return read();
    } finally {
      this.#running.delete(key);
      this.#depth -= 1;
    }
  }
}

/** A bare word, or in JSON a string. */
function keyword(expression: Expression): string {
  if (expression.kind === 'variable') return expression.name;
  if (expression.kind === 'literal' && typeof expression.value === 'string') return expression.value;
  throw hclError('HCL_EVALUATION', 'each parameter is a name', { place: expression.source.place(expression.range) });
}
