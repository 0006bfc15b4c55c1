import type { GlobalArgument } from './globals.ts';
import type { OutlineArgument } from './outline-argument.ts';
import { sourcesOf, type StageNode } from './stages.ts';
import type { Range } from './text.ts';

/** What a stage takes from outside, written down while it is converted. */
export class StageOutline {
  /** ARGs with a value of the stage's own. */
  readonly args = new Map<string, OutlineArgument>();
  /** ARGs that the stage declares. */
  readonly used = new Set<string>();
  readonly secrets = new Map<string, Demand>();
  readonly agents = new Map<string, Demand>();
}

interface Demand {
  readonly required: boolean;
  readonly range: Range;
}

/** The outlines of the stages of one conversion. */
export class Outline {
  readonly #stages = new Map<StageNode, StageOutline>();

  of(node: StageNode): StageOutline {
    const known = this.#stages.get(node);
    if (known !== undefined) return known;
    const made = new StageOutline();
    this.#stages.set(node, made);
    return made;
  }

  /** All that the target and the stages it needs take, each once, in the order of the file. */
  collect(target: StageNode, globals: ReadonlyMap<string, GlobalArgument>): Collected {
    const args = new Map<string, OutlineArgument>();
    const secrets = new Map<string, Demand>();
    const agents = new Map<string, Demand>();
    for (const node of below(target)) {
      const stage = this.of(node);
      for (const name of withReferences([...stage.used, ...node.fromNames], globals)) {
        const found = stage.args.get(name) ?? globals.get(name);
        if (found !== undefined && !args.has(name)) args.set(name, found);
      }
      for (const [name, demand] of stage.secrets) if (!secrets.has(name)) secrets.set(name, demand);
      for (const [name, demand] of stage.agents) if (!agents.has(name)) agents.set(name, demand);
    }
    return {
      args: [...args.values()].sort((a, b) => a.range.start.line - b.range.start.line),
      secrets: named(secrets),
      agents: named(agents),
    };
  }
}

export interface Collected {
  readonly args: readonly OutlineArgument[];
  readonly secrets: readonly (Demand & { readonly name: string })[];
  readonly agents: readonly (Demand & { readonly name: string })[];
}

function named(demands: ReadonlyMap<string, Demand>): Collected['secrets'] {
  return [...demands]
    .map(([name, demand]) => ({ name, ...demand }))
    .sort((a, b) => a.range.start.line - b.range.start.line);
}

/** The stage, its bases, and what they read, each once. */
function below(target: StageNode): ReadonlySet<StageNode> {
  const found = new Set<StageNode>();
  const stack = [target];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    stack.push(...node.steps.flatMap(sourcesOf).toReversed());
    if (node.base !== undefined) stack.push(node.base);
  }
  return found;
}

/** The names, and those that the defaults of global ones refer to. */
function withReferences(names: readonly string[], globals: ReadonlyMap<string, GlobalArgument>): ReadonlySet<string> {
  const found = new Set<string>();
  const stack = [...names];
  for (let name = stack.pop(); name !== undefined; name = stack.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    stack.push(...(globals.get(name)?.references ?? []));
  }
  return found;
}
