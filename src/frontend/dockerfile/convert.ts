import type { Platform } from '../../blob/index.ts';
import { scratch, type State } from '../../graph/index.ts';
import { PatternMatcher } from '../../tree/index.ts';
import type { Base } from './bases.ts';
import { Environment } from './environment.ts';
import { dockerfileError, located } from './errors.ts';
import { quote } from './go-text.ts';
import type { Linter } from './lint.ts';
import { Locals, type Local } from './locals.ts';
import { ignoresCache, type Options } from './options.ts';
import type { Outline } from './outline.ts';
import { startStage, type StageState, type StepScope, type StepSource } from './stage-state.ts';
import type { StageNode, StageStep } from './stages.ts';
import * as config from './step-config.ts';
import { copy } from './step-copy.ts';
import { run } from './step-run.ts';
import { workdir } from './step-workdir.ts';
import type { Places } from './text.ts';

/** What the conversion of stages needs: the graph's nodes in order, and the bases that were resolved. */
export interface Conversion {
  readonly nodes: readonly StageNode[];
  readonly target: StageNode;
  /** `target` and all that it needs. */
  readonly reachable: ReadonlySet<StageNode>;
  readonly bases: ReadonlyMap<StageNode, Base>;
  readonly options: Options;
  readonly platform: Platform;
  readonly globals: Environment;
  readonly escape: '\\' | '`';
  readonly places: Places;
  readonly lint: Linter;
  readonly epoch: number | undefined;
  readonly outline: Outline | undefined;
  /** The build context, by name or as a tree that the asking side gave. */
  readonly context: Local | State;
}

/** Converts the stages that the target needs, in the order of the file. */
export function convertStages(c: Conversion): StageState {
  const wide = new Locals();
  const first = new StageConverter(c, wide).target();
  return wide.narrows ? new StageConverter(c, new Locals(wide)).target() : first;
}

class StageConverter {
  readonly #c: Conversion;
  readonly #locals: Locals;
  readonly #done = new Map<StageNode, StageState>();
  readonly #ignorePatterns: readonly string[];
  readonly #ignore: PatternMatcher | undefined;

  constructor(c: Conversion, locals: Locals) {
    this.#c = c;
    this.#locals = locals;
    this.#ignorePatterns = 'exclude' in c.context ? c.context.exclude : [];
    this.#ignore = this.#ignorePatterns.length === 0 ? undefined : new PatternMatcher(this.#ignorePatterns);
  }

  target(): StageState {
    for (const node of this.#c.nodes)
      if (!node.implicit && node.context === undefined && this.#c.reachable.has(node)) this.#stage(node);
    return this.#stage(this.#c.target);
  }

  #stage(node: StageNode): StageState {
    const known = this.#done.get(node);
    if (known !== undefined) return known;
    const stage = this.#convert(node);
    this.#done.set(node, stage);
    return stage;
  }

  #convert(node: StageNode): StageState {
    let stage = this.#start(node);
    for (const step of node.steps) {
      const place = this.#c.places.place(step.instruction.range);
      try {
        stage = applyStep(stage, step, this.#scope(node, step));
      } catch (error) {
        throw located(error, place);
      }
    }
    return stage;
  }

  #start(node: StageNode): StageState {
    if (node.base !== undefined) {
      const base = this.#stage(node.base);
      const draft = { ...base.draft, config: { ...base.draft.config, OnBuild: undefined } };
      return startStage({ ...base, draft }, 0);
    }
    const root = this.#c.bases.get(node);
    if (root === undefined) throw new TypeError(`convert stage ${quote(node.label)}: its base was not resolved`);
    const state = this.#stateOf(root, '/');
    const { draft: found, platform } = root;
    const bare = root.bare && !state.isScratch;
    const own = bare ? [{ comment: 'buildkit.exporter.image.v0' }] : [];
    const draft = {
      ...found,
      config: { ...found.config, OnBuild: undefined },
      history: [...found.history, ...own],
    };
    const layers = bare ? [{ kind: 'step', before: scratch, after: state, dialect: 'oci' } as const] : root.layers;
    const env = new Environment();
    const baseHistory = root.baseHistory ?? found.history.length;
    const index = root.numbered ? 1 : 0;
    return startStage({ state, env, args: [], draft, platform, layers, baseHistory, workdirSet: false }, index);
  }

  #scope(node: StageNode, step: StageStep): StepScope {
    const { options, globals, escape, places, epoch } = this.#c;
    const { instruction, trigger } = step;
    const lint = this.#baseIsKnown(node) ? this.#c.lint : this.#c.lint.without('UndefinedVar');
    return {
      node,
      options,
      globals,
      escape,
      places,
      lint: lint.forComments(instruction.comments),
      trigger,
      ignoreCache: ignoresCache(options, node.name),
      ignore: this.#ignore,
      ignorePatterns: this.#ignorePatterns,
      epoch,
      outline: this.#c.outline?.of(node),
      source: this.#source(node, step),
      mountSource: (index) => this.#mountSource(node, step, index),
    };
  }

  /** False where a base could not be read, and with it the variables it sets. */
  #baseIsKnown(node: StageNode): boolean {
    let root = node;
    while (root.base !== undefined) root = root.base;
    return this.#c.bases.get(root)?.unknown !== true;
  }

  #source(node: StageNode, { instruction, source }: StageStep): StepSource {
    if (source === undefined) return this.#contextSource();
    const from = instruction.kind === 'copy' ? instruction.from : '';
    return this.#sourceOf(
      source,
      node,
      () => `cannot copy from stage ${quote(from)}, it needs to be defined before current stage ${quote(node.label)}`,
    );
  }

  #mountSource(node: StageNode, { instruction, mounts = [] }: StageStep, index: number): StepSource {
    const source = mounts[index];
    if (source === undefined) return this.#contextSource();
    const from = instruction.kind === 'run' ? (instruction.mounts[index]?.from ?? '') : '';
    return this.#sourceOf(
      source,
      node,
      () => `cannot mount from stage ${quote(from)}, stage needs to be defined before current command`,
    );
  }

  /** What a step reads of another node. Its tree is looked up only when the step asks. */
  #sourceOf(source: StageNode, node: StageNode, tooLate: () => string): StepSource {
    const base = this.#c.bases.get(source);
    if (base !== undefined && (source.implicit || source.context !== undefined)) {
      const { local } = base;
      const state = (): State => this.#stateOf(base);
      return {
        get state() {
          return state();
        },
        use: (path) => local !== undefined && this.#locals.use(local, path),
      };
    }
    if (this.#c.nodes.indexOf(source) >= this.#c.nodes.indexOf(node))
      throw dockerfileError('DOCKERFILE_STAGE_ORDER', tooLate(), { remedy: 'Move that stage above this one.' });
    return { state: this.#stage(source).state, use: () => undefined };
  }

  #contextSource(): StepSource {
    const { context } = this.#c;
    if (!('exclude' in context)) return { state: context, use: () => undefined };
    const locals = this.#locals;
    return {
      get state() {
        return locals.state(context);
      },
      use: (path) => locals.use(context, path),
    };
  }

  #stateOf(base: Base, uses?: string): State {
    if (base.local === undefined) return base.state;
    if (uses !== undefined) this.#locals.use(base.local, uses);
    return this.#locals.state(base.local);
  }
}

function applyStep(stage: StageState, { instruction }: StageStep, scope: StepScope): StageState {
  switch (instruction.kind) {
    case 'run':
      return run(stage, instruction, scope);
    case 'copy':
    case 'add':
      return copy(stage, instruction, scope);
    case 'workdir':
      return workdir(stage, instruction, scope);
    case 'env':
      return config.env(stage, instruction, scope);
    case 'arg':
      return config.arg(stage, instruction, scope);
    case 'label':
      return config.label(stage, instruction, scope);
    case 'cmd':
      return config.cmd(stage, instruction, scope);
    case 'entrypoint':
      return config.entrypoint(stage, instruction, scope);
    case 'healthcheck':
      return config.healthcheck(stage, instruction, scope);
    case 'expose':
      return config.expose(stage, instruction, scope);
    case 'volume':
      return config.volume(stage, instruction, scope);
    case 'shell':
      return config.shell(stage, instruction);
    case 'user':
      return config.user(stage, instruction, scope);
    case 'stopsignal':
      return config.stopsignal(stage, instruction, scope);
    case 'maintainer':
      return config.maintainer(stage, instruction);
    default:
      return config.onbuild(stage, instruction);
  }
}
