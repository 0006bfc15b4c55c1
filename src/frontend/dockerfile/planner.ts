import { kindOf, messageOf, throwIfCancelled, type Wait } from '../../base/index.ts';
import type { Platform } from '../../blob/index.ts';
import type { State } from '../../graph/index.ts';
import { normalizePlatform } from '../../image/index.ts';
import type { FrontendHost, PlannedImage } from '../index.ts';
import type { DockerfileNode } from './ast.ts';
import { checkBaseName, resolveBase, unknownBase, type Base } from './bases.ts';
import { imageName } from './contexts.ts';
import { convertStages } from './convert.ts';
import type { Environment } from './environment.ts';
import { readEpoch } from './epoch.ts';
import { expand } from './expand.ts';
import { globalScope, predefined } from './globals.ts';
import { configOf, withConfig, type ImageDraft } from './image-draft.ts';
import { readIgnore, type DockerfileInput } from './input.ts';
import type { Program } from './instruction.ts';
import type { Linter } from './lint.ts';
import type { Local } from './locals.ts';
import type { MainContext } from './main-context.ts';
import type { Options } from './options.ts';
import type { Outline } from './outline.ts';
import { StageGraph, type StageNode, type StageSettings } from './stages.ts';
import { sorted } from './step-config.ts';
import { refuseRunFlags } from './step-run.ts';
import type { SourceText } from './text.ts';
import { parseTriggers } from './triggers.ts';

/** What one image is planned from. */
export interface PlannerInit {
  readonly options: Options;
  readonly main: MainContext;
  readonly input: DockerfileInput;
  readonly file: DockerfileNode;
  readonly program: Program;
  readonly lint: Linter;
  readonly platform: Platform;
  readonly host: FrontendHost;
  readonly wait: Wait;
  /** Somebody looks at the Dockerfile and wants no image: with all stages where no target is named, and as far as goes where a base is out of reach. */
  readonly look?: { readonly all: boolean; readonly outline?: Outline | undefined } | undefined;
}

/** Plans the image of one platform. */
export class Planner {
  /** SOURCE_DATE_EPOCH in seconds. */
  readonly epoch: number | undefined;
  readonly #p: PlannerInit;
  readonly #settings: StageSettings;
  readonly #graph: StageGraph;
  readonly #target: StageNode;
  readonly #bases = new Map<StageNode, Base>();

  private constructor(p: PlannerInit, settings: StageSettings, epoch: number | undefined) {
    this.#p = p;
    this.epoch = epoch;
    this.#settings = settings;
    this.#graph = new StageGraph(p.program, settings);
    this.#target = this.#graph.target(p.options.target);
  }

  get target(): StageNode {
    return this.#target;
  }

  /** ARGs before the first FROM. */
  get globals(): StageSettings['declared'] {
    return this.#settings.declared;
  }

  static async open(p: PlannerInit): Promise<Planner> {
    const { options, file, program, lint, platform, main, host } = p;
    const places = p.input.source;
    const { escape } = file;
    const { buildArgs } = options;
    const stage = options.target || (program.stages.at(-1)?.from.alias ?? '');
    const start = predefined(options.buildPlatform, platform, { stage, buildArgs });
    lintDefaults(start, { program, lint, escape, places });
    const { values, declared } = globalScope(start, program.globals, { buildArgs, escape, places });
    const settings = { options, platform, globals: values, declared, escape, places, lint };
    const epoch = await readEpoch({ ...settings, program, main, host, ...p.wait });
    const { globals, args } = withEpoch(values, buildArgs, epoch);
    return new Planner(p, { ...settings, globals, options: { ...options, buildArgs: args } }, epoch);
  }

  async plan(): Promise<PlannedImage> {
    const { platform, host, lint, input, wait } = this.#p;
    const { options, globals, escape, places } = this.#settings;
    const reachable = await this.#resolve();
    throwIfCancelled(wait);
    const stage = convertStages({
      nodes: this.#graph.nodes,
      target: this.#target,
      reachable,
      bases: this.#bases,
      options,
      platform,
      globals,
      escape,
      places,
      lint,
      epoch: this.epoch,
      outline: this.#p.look?.outline,
      context: await contextOf(host, { main: this.#p.main, input, used: usesContext(reachable), wait }),
    });
    const draft = this.#finished(stage.draft);
    return {
      platform: normalizePlatform({ ...platform, ...platformIn(draft) }),
      layers: stage.layers,
      root: stage.state,
      config: configOf(draft),
      baseHistory: stage.baseHistory,
      attestations: [],
    };
  }

  /** Resolves the bases that the target needs; triggers of one may need further ones. */
  async #resolve(): Promise<ReadonlySet<StageNode>> {
    const { places } = this.#settings;
    for (const node of this.#graph.nodes) checkBaseName(node, places);
    const triggered = new Set<StageNode>();
    for (;;) {
      const reachable = this.#reachable();
      refuseFlags(reachable, this.#settings);
      const missing = [...reachable].filter((node) => node.base === undefined && !this.#bases.has(node));
      await this.#resolveAll(missing);
      const fresh = [...reachable].filter((node) => !triggered.has(node));
      for (const node of fresh) {
        triggered.add(node);
        const triggers = this.#triggersOf(node);
        if (triggers.length > 0) this.#graph.addTriggers(node, parseTriggers(triggers, node.range, places));
      }
      if (fresh.length === 0) return reachable;
    }
  }

  #reachable(): ReadonlySet<StageNode> {
    if (this.#p.look?.all !== true || this.#p.options.target !== '') return this.#graph.reachable([this.#target]);
    return this.#graph.reachable(this.#graph.nodes.filter(({ implicit }) => !implicit));
  }

  /** A base that is out of reach is no fault of the Dockerfile. */
  async #resolveOne(node: StageNode, names: readonly string[]): Promise<Base> {
    const { host, lint, wait, platform, look } = this.#p;
    const { options, globals, places } = this.#settings;
    try {
      return await resolveBase(node, host, { options, platform, globals, places, lint, names, ...wait });
    } catch (error) {
      if (look === undefined || kindOf(error) !== 'unavailable') throw error;
      const message = `base "${node.baseName}" could not be read, what hangs on it was not checked: ${messageOf(error)}`;
      host.warn({ code: 'BaseUnavailable', message, place: places.place(node.range) });
      return unknownBase(node, platform);
    }
  }

  async #resolveAll(nodes: readonly StageNode[]): Promise<void> {
    const names = this.#graph.names();
    // All are waited for, so that nothing is left running when one fails.
    const settled = await Promise.allSettled(
      nodes.map(async (node) => [node, await this.#resolveOne(node, names)] as const),
    );
    for (const result of settled) {
      if (result.status === 'rejected') throw result.reason;
      this.#bases.set(...result.value);
    }
  }

  /** Of the base image's config, or written in the stage that this one is built on. */
  #triggersOf(node: StageNode): readonly string[] {
    if (node.implicit || node.context !== undefined) return [];
    if (node.base === undefined) return this.#bases.get(node)?.draft.config.OnBuild ?? [];
    return node.base.steps.flatMap(({ instruction }) => (instruction.kind === 'onbuild' ? [instruction.text] : []));
  }

  /** With the labels that were asked for and the platform it is for. */
  #finished(draft: ImageDraft): ImageDraft {
    const { options } = this.#settings;
    const { platform } = this.#p;
    const labels = sorted({ ...draft.config.Labels, ...Object.fromEntries(options.labels) });
    let done = options.labels.length === 0 ? draft : withConfig(draft, { Labels: labels });
    if (!options.implicitPlatform) {
      const same = draft.os === platform.os && draft.architecture === platform.architecture;
      done = {
        ...done,
        os: platform.os,
        architecture: platform.architecture,
        variant: platform.variant ?? (same ? draft.variant : undefined),
        'os.version': platform['os.version'] ?? (same ? draft['os.version'] : undefined),
        'os.features': platform['os.features'] ?? draft['os.features'],
      };
    }
    return { ...done, ...platformIn(done) };
  }
}

function platformIn(draft: ImageDraft): Platform {
  const { os, architecture, variant } = draft;
  const normal = normalizePlatform({
    os,
    architecture,
    variant,
    'os.version': draft['os.version'],
    'os.features': draft['os.features'],
  });
  return { ...normal, variant: normal.variant };
}

/** InvalidDefaultArgInFrom: base names must be names even when no build argument is given. */
function lintDefaults(
  start: Environment,
  o: { readonly program: Program; readonly lint: Linter; readonly escape: '\\' | '`'; readonly places: SourceText },
): void {
  try {
    const { values } = globalScope(start, o.program.globals, { ...o, buildArgs: new Map() });
    for (const { from } of o.program.stages) {
      const { text } = expand(from.base, values, o);
      if (isImageName(text)) continue;
      const message = `Default value for ARG ${from.base} results in empty or invalid base image name`;
      o.lint.report('InvalidDefaultArgInFrom', from.range, message);
    }
  } catch {
    // The build fails of the same fault right after.
  }
}

function isImageName(text: string): boolean {
  try {
    imageName(text);
    return true;
  } catch {
    return false;
  }
}

/** SOURCE_DATE_EPOCH as it was resolved, wherever it was set. */
function withEpoch(
  globals: Environment,
  buildArgs: ReadonlyMap<string, string>,
  epoch: number | undefined,
): { readonly globals: Environment; readonly args: ReadonlyMap<string, string> } {
  const name = 'SOURCE_DATE_EPOCH';
  const args = new Map(buildArgs);
  if (args.has(name)) {
    if (epoch === undefined) args.delete(name);
    else args.set(name, String(epoch));
  }
  if (globals.get(name) === undefined) return { globals, args };
  return { globals: epoch === undefined ? globals.without(name) : globals.with(name, String(epoch)), args };
}

function refuseFlags(nodes: Iterable<StageNode>, { places }: StageSettings): void {
  for (const node of nodes)
    for (const { instruction } of node.steps) if (instruction.kind === 'run') refuseRunFlags(instruction, places);
}

function usesContext(nodes: Iterable<StageNode>): boolean {
  for (const node of nodes)
    for (const { instruction } of node.steps) {
      if (instruction.kind === 'add' || (instruction.kind === 'copy' && instruction.from === '')) return true;
      if (instruction.kind === 'run' && instruction.mounts.some(({ from, bind }) => bind && from === '')) return true;
    }
  return false;
}

/** The build context: a tree that the asking side gave or that was fetched, or its local files without what the ignore file names. */
async function contextOf(
  host: FrontendHost,
  o: {
    readonly main: MainContext;
    readonly input: DockerfileInput;
    readonly used: boolean;
    readonly wait: Wait;
  },
): Promise<Local | State> {
  if (o.main.state !== undefined) return o.main.state;
  const { name } = o.main;
  const local = { name, label: '[internal] load build context' };
  if (!o.used) return { ...local, exclude: [] };
  return { ...local, exclude: o.input.ignore ?? (await readIgnore(host, name, '[internal]', o.wait)) };
}
