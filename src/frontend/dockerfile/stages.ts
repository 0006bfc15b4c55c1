import type { Platform } from '../../blob/index.ts';
import { parsePlatform } from '../../image/index.ts';
import { namedContext, type NamedContext } from './contexts.ts';
import type { Environment } from './environment.ts';
import { dockerfileError, located } from './errors.ts';
import { expand, noVariables, type Expansion } from './expand.ts';
import { fullPlatform, type GlobalArgument } from './globals.ts';
import { quote } from './go-text.ts';
import type { FromInstruction, Program, StageInstruction, StageText } from './instruction.ts';
import type { Linter } from './lint.ts';
import { lintPlatform } from './lint-platform.ts';
import type { Options } from './options.ts';
import { didYouMean, nearest } from './suggest.ts';
import type { Places, Range } from './text.ts';

/** An instruction in its stage. */
export interface StageStep {
  readonly instruction: StageInstruction;
  /** It came with the base, by ONBUILD. */
  readonly trigger: boolean;
  /** The stage, image or context that it copies from; undefined for the build context. */
  readonly source?: StageNode | undefined;
  /** Those that RUN's mounts show, in their order. */
  readonly mounts?: readonly (StageNode | undefined)[] | undefined;
}

/** Everything a step reads but the build context. */
export function sourcesOf({ source, mounts = [] }: StageStep): readonly StageNode[] {
  return [source, ...mounts].filter((node) => node !== undefined);
}

/** A stage, or (`implicit`) an image or context that an instruction reads from. */
export interface StageNode {
  /** In lower case; "" without one. */
  readonly name: string;
  /** The base's name, variables expanded; `scratch` is the empty tree. */
  readonly baseName: string;
  readonly platform: Platform | undefined;
  /** The stage it is built on, where the base is one. */
  readonly base: StageNode | undefined;
  /** What stands in for it, by `--build-context`. */
  readonly context: NamedContext | undefined;
  readonly implicit: boolean;
  readonly range: Range;
  readonly code: string;
  /** Triggers of the base come in front. */
  readonly steps: StageStep[];
  /** Name in progress: `build`, `stage-1`; "" when the file has but one. */
  label: string;
  /** Before the label in progress: the platform, and what it is built for, where there are several. */
  readonly prefix: string;
  /** Variables in its FROM. */
  readonly fromNames: ReadonlySet<string>;
  /** Steps in progress's `2/5`. */
  total: number;
}

/** What stage building needs to know of the rest. */
export interface StageSettings {
  readonly options: Options;
  /** Platform of the results. */
  readonly platform: Platform;
  readonly globals: Environment;
  /** The ARGs before the first FROM. */
  readonly declared: ReadonlyMap<string, GlobalArgument>;
  readonly escape: '\\' | '`';
  readonly places: Places;
  readonly lint: Linter;
}

const COUNTED: readonly string[] = ['add', 'copy', 'run', 'workdir'];

/** The stages of a Dockerfile and who needs whom. */
export class StageGraph {
  readonly nodes: StageNode[] = [];
  readonly #settings: StageSettings;
  readonly #byName = new Map<string, StageNode>();

  /** Throws `DOCKERFILE_BASE_NAME`, `DOCKERFILE_PLATFORM`, `DOCKERFILE_STAGE_NOT_FOUND`, `DOCKERFILE_CIRCULAR`, `DOCKERFILE_EXPANSION`, each with its place. */
  constructor(program: Program, settings: StageSettings) {
    this.#settings = settings;
    for (const [index, stage] of program.stages.entries()) this.#add(stage, index);
    for (const node of this.nodes.slice()) this.#connect(node, program);
    this.#refuseCircles();
    if (this.nodes.length === 1 && this.nodes[0] !== undefined) this.nodes[0].label = '';
  }

  /** The stage to build: by name, by number, or the last one. Throws `DOCKERFILE_STAGE_NOT_FOUND`. */
  target(name: string): StageNode {
    const stages = this.nodes.filter((node) => !node.implicit);
    const found =
      name === ''
        ? stages.at(-1)
        : (this.#byName.get(name.toLowerCase()) ?? (/^\d+$/.test(name) ? stages[Number(name)] : undefined));
    if (found !== undefined) return found;
    const names = this.names();
    throw dockerfileError(
      'DOCKERFILE_STAGE_NOT_FOUND',
      `target stage ${quote(name)} could not be found${didYouMean(name, names)}`,
      { remedy: names.length === 0 ? 'Name a stage with FROM … AS name.' : `Build one of: ${names.join(', ')}.` },
    );
  }

  /** The stages' names, for suggestions. */
  names(): readonly string[] {
    return this.nodes.map((node) => node.name || node.label).filter((name) => name !== '');
  }

  /** These stages and all that they need. */
  reachable(targets: readonly StageNode[]): ReadonlySet<StageNode> {
    const found = new Set<StageNode>();
    const queue = [...targets];
    for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
      if (found.has(node)) continue;
      found.add(node);
      if (node.base !== undefined) queue.push(node.base);
      for (const step of node.steps) queue.push(...sourcesOf(step));
    }
    return found;
  }

  /** Puts the base's triggers in front of a stage's own steps. */
  addTriggers(node: StageNode, triggers: readonly StageInstruction[]): void {
    const steps = triggers.map((instruction) => this.#step(instruction, true, this.#settings.places.place(node.range)));
    node.steps.unshift(...steps);
    node.total += steps.length;
  }

  #add({ from, instructions }: StageText, index: number): void {
    const { options, places } = this.#settings;
    const lint = this.#settings.lint.forComments(from.comments);
    const place = places.place(from.range);
    try {
      const fromNames = new Set<string>();
      const baseName = this.#baseName(from, lint, fromNames);
      const platform = this.#platform(from, lint, fromNames);
      const name = from.alias ?? '';
      const context =
        name === '' ? undefined : namedContext(options.contexts, name, platform ?? this.#settings.platform);
      const base = context === undefined ? this.#stageNamed(baseName) : undefined;
      const counted = instructions.filter((instruction) => COUNTED.includes(instruction.kind)).length;
      const own = baseName !== 'scratch' && base === undefined ? 1 : 0;
      const node: StageNode = {
        name,
        baseName,
        platform,
        base,
        context,
        implicit: false,
        range: from.range,
        code: from.code,
        steps: [],
        label: name || `stage-${index}`,
        prefix: this.#prefix(platform),
        fromNames,
        total: context === undefined ? own + counted : 0,
      };
      this.nodes.push(node);
      if (name !== '') this.#byName.set(name, node);
    } catch (error) {
      throw located(error, place);
    }
  }

  /** A name with upper-case letters is no image's, so that it can only mean the stage (kaniko takes it so; BuildKit fails). */
  #stageNamed(name: string): StageNode | undefined {
    return this.#byName.get(name) ?? (/^[a-z][\w.-]*$/i.test(name) ? this.#byName.get(name.toLowerCase()) : undefined);
  }

  /** Fills in the steps, now that all names are known. What a context replaces has none. */
  #connect(node: StageNode, program: Program): void {
    if (node.context !== undefined) return;
    const instructions = program.stages[this.nodes.indexOf(node)]?.instructions ?? [];
    for (const instruction of instructions)
      node.steps.push(this.#step(instruction, false, this.#settings.places.place(instruction.range)));
  }

  #step(instruction: StageInstruction, trigger: boolean, place: ReturnType<Places['place']>): StageStep {
    const source = (from: string): StageNode | undefined =>
      from === '' ? undefined : this.#source(from, instruction.range);
    try {
      if (instruction.kind === 'run')
        return { instruction, trigger, mounts: instruction.mounts.map(({ from }) => source(from)) };
      return { instruction, trigger, source: instruction.kind === 'copy' ? source(instruction.from) : undefined };
    } catch (error) {
      throw located(error, place);
    }
  }

  /** A stage by name or number, or an image. */
  #source(from: string, range: Range): StageNode {
    if (expand(from, noVariables, { escape: this.#settings.escape }).text !== from)
      throw dockerfileError(
        'DOCKERFILE_EXPANSION',
        'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
        { remedy: 'Add a stage "FROM $VARIABLE AS name", and use --from=name.' },
      );
    if (/^[+-]?\d+$/.test(from)) {
      const stages = this.nodes.filter((candidate) => !candidate.implicit);
      const node = stages[Number(from)];
      if (node !== undefined) return node;
      throw dockerfileError('DOCKERFILE_STAGE_NOT_FOUND', `invalid stage index ${Number(from)}`, {
        remedy: `Use a number from 0 to ${stages.length - 1}, or a stage's name.`,
      });
    }
    const known =
      this.#byName.get(from.toLowerCase()) ??
      this.nodes.find((candidate) => candidate.implicit && candidate.baseName === from);
    if (known !== undefined) return known;
    const node: StageNode = {
      name: '',
      baseName: from,
      platform: undefined,
      base: undefined,
      context: undefined,
      implicit: true,
      range,
      code: '',
      steps: [],
      label: '',
      prefix: '',
      fromNames: new Set(),
      total: 0,
    };
    this.nodes.push(node);
    return node;
  }

  #prefix(own: Platform | undefined): string {
    const { options, platform } = this.#settings;
    if (!options.multiPlatform) return '';
    const on = own ?? platform;
    const native = { ...platform, variant: platform.variant ?? undefined };
    if (on.os !== native.os) return `${fullPlatform(on)}->${fullPlatform(native)} `;
    if (on.architecture === native.architecture) return `${fullPlatform(on)} `;
    const { architecture, variant } = native;
    return `${fullPlatform(on)}->${architecture}${variant === undefined ? '' : `/${variant}`} `;
  }

  #baseName(from: FromInstruction, lint: Linter, names: Set<string>): string {
    const found = this.#expandFrom(from.base, from, lint);
    for (const name of found.matched) names.add(name);
    if (found.text === '')
      throw dockerfileError('DOCKERFILE_BASE_NAME', `base name (${from.base}) should not be blank`, {
        remedy: 'Give the ARG a default before the first FROM, or pass it with --build-arg.',
      });
    return found.text;
  }

  #platform(from: FromInstruction, lint: Linter, names: Set<string>): Platform | undefined {
    if (from.platform === undefined || from.platform === '') return undefined;
    const { options, globals } = this.#settings;
    const found = this.#expandFrom(from.platform, from, lint);
    for (const name of found.matched) names.add(name);
    lintPlatform(from, found, { lint, globals, local: options.buildPlatform });
    const hint =
      [...found.unmatched].map((name) => didYouMean(name, globals.names())).find((text) => text !== '') ?? '';
    if (found.text === '')
      throw dockerfileError('DOCKERFILE_PLATFORM', `empty platform value from expression ${from.platform}${hint}`, {
        remedy: 'Use a variable that is set, as $BUILDPLATFORM or $TARGETPLATFORM.',
      });
    try {
      return parsePlatform(found.text, options.buildPlatform);
    } catch (error) {
      throw dockerfileError(
        'DOCKERFILE_PLATFORM',
        `failed to parse platform ${from.platform}: ${error instanceof Error ? error.message : String(error)}${hint}`,
        { remedy: 'Write os/architecture[/variant], as linux/amd64 or linux/arm/v7.', cause: error },
      );
    }
  }

  #expandFrom(text: string, from: FromInstruction, lint: Linter): Expansion {
    const { globals, declared, escape } = this.#settings;
    const found = expand(text, globals, { escape });
    const known = [...new Set([...declared.keys(), ...globals.names()])];
    for (const name of found.unmatched) {
      if (known.includes(name)) continue;
      const match = nearest(name, known);
      const hint = match === undefined ? '' : ` (did you mean ${match}?)`;
      lint.report('UndefinedArgInFrom', from.range, `FROM argument '${name}' is not declared${hint}`);
    }
    return found;
  }

  /** A walk in depth, with a stack of its own: files may have thousands of stages. */
  #refuseCircles(): void {
    const done = new Set<StageNode>();
    for (const start of this.nodes) {
      const path = new Set([start]);
      const stack = [{ node: start, needs: needsOf(start).values() }];
      for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
        const next = done.has(top.node) ? undefined : top.needs.next().value;
        if (next === undefined) {
          done.add(top.node);
          path.delete(top.node);
          stack.pop();
        } else {
          const { source } = next;
          if (path.has(source)) throw this.#circle(next.step, source);
          path.add(source);
          stack.push({ node: source, needs: needsOf(source).values() });
        }
      }
    }
  }

  #circle({ instruction }: StageStep, source: StageNode): Error {
    return dockerfileError('DOCKERFILE_CIRCULAR', `circular dependency detected on stage: ${source.label}`, {
      place: this.#settings.places.place(instruction.range),
      remedy: 'Move what both stages need into a stage of its own.',
    });
  }
}

function needsOf(node: StageNode): readonly { readonly step: StageStep; readonly source: StageNode }[] {
  return node.steps.flatMap((step) => sourcesOf(step).map((source) => ({ step, source })));
}
