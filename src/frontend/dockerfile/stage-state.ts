import type { SourcePlace } from '../../base/index.ts';
import type { Platform } from '../../blob/index.ts';
import type { State, StepVariable, VertexLabel } from '../../graph/index.ts';
import { cleanPath, type PatternMatcher } from '../../tree/index.ts';
import type { PlannedLayer } from '../index.ts';
import { stepLabel } from './bases.ts';
import { splitVariable, type Environment } from './environment.ts';
import { expand, type ExpandOptions, type Expansion } from './expand.ts';
import { withConfig, withHistory, withPath, type ImageDraft } from './image-draft.ts';
import type { StageInstruction } from './instruction.ts';
import type { Linter } from './lint.ts';
import type { Options } from './options.ts';
import type { StageOutline } from './outline.ts';
import type { StageNode } from './stages.ts';
import { nearest } from './suggest.ts';
import type { Places, Range } from './text.ts';

/** An ARG that a stage has seen. */
export interface BuildArgument {
  readonly key: string;
  readonly value?: string | undefined;
}

/** A stage between two instructions. Immutable: an instruction gives the next one. */
export interface StageState {
  readonly state: State;
  /** What steps see: the image's variables and the ARGs, in the order they were set. */
  readonly env: Environment;
  readonly args: readonly BuildArgument[];
  readonly draft: ImageDraft;
  readonly platform: Platform;
  readonly layers: readonly PlannedLayer[];
  readonly baseHistory: number;
  /** Steps numbered so far. */
  readonly index: number;
  /** A WORKDIR was seen in this file. */
  readonly workdirSet: boolean;
  /** Where the last CMD, ENTRYPOINT and HEALTHCHECK of this stage stand. */
  readonly seen: { readonly [K in 'cmd' | 'entrypoint' | 'healthcheck']?: Range | undefined };
}

/** A tree that a step reads, and the note that it reads this path of it. */
export interface StepSource {
  readonly state: State;
  use(path: string): void;
}

/** What an instruction is converted in. */
export interface StepScope {
  readonly node: StageNode;
  readonly options: Options;
  readonly globals: Environment;
  readonly escape: '\\' | '`';
  readonly places: Places;
  readonly lint: Linter;
  readonly trigger: boolean;
  readonly ignoreCache: boolean;
  /** What is never in the build context. */
  readonly ignore: PatternMatcher | undefined;
  readonly ignorePatterns: readonly string[];
  /** Where what the stage takes from outside is written down, if anybody asks. */
  readonly outline: StageOutline | undefined;
  /** Seconds; absent when no epoch is set. */
  readonly epoch: number | undefined;
  /** What COPY and ADD read. */
  readonly source: StepSource;
  /** What RUN's mount of this number reads. Throws `DOCKERFILE_STAGE_ORDER`. */
  readonly mountSource: (index: number) => StepSource;
}

/** Build arguments that never become variables (facts 1.4). */
const NOT_VARIABLES: readonly string[] = ['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE'];

export function isVariable(name: string): boolean {
  return !NOT_VARIABLES.includes(name);
}

/** A stage before its first instruction: PATH set, the image's variables in force (above inherited ARGs), its folder made absolute. */
export function startStage(start: Omit<StageState, 'index' | 'seen'>, index: number): StageState {
  const draft = withPath(start.draft, start.platform.os);
  let { env } = start;
  for (const variable of draft.config.Env ?? []) env = env.with(...splitVariable(variable));
  const folder = draft.config.WorkingDir ?? '';
  return {
    ...start,
    env,
    draft: folder === '' ? draft : withConfig(draft, { WorkingDir: cleanPath(`/${folder}`) }),
    index,
    seen: {},
  };
}

/** Where steps run and relative paths start. */
export function folderOf(stage: StageState): string {
  return stage.draft.config.WorkingDir || '/';
}

/** Expands a word of an instruction with the variables as they are before it. */
export function expandIn(
  stage: StageState,
  scope: StepScope,
  o: {
    readonly instruction: StageInstruction;
    readonly text: string;
    readonly how?: Partial<ExpandOptions> | undefined;
  },
): Expansion {
  const found = expand(o.text, stage.env, { escape: scope.escape, ...o.how });
  for (const name of found.unmatched) {
    if (!isVariable(name) || stage.args.some((arg) => arg.key === name)) continue;
    const match = nearest(name, stage.env.names());
    const hint = match === undefined ? '' : ` (did you mean $${match}?)`;
    scope.lint.report('UndefinedVar', o.instruction.range, `Usage of undefined variable '$${name}'${hint}`);
  }
  return found;
}

/** The label of a step that makes a layer, and the stage that has numbered it. */
export function nextLabel(
  stage: StageState,
  scope: StepScope,
  o: { readonly instruction: StageInstruction; readonly text: string; readonly mayIgnoreCache: boolean },
): { readonly label: VertexLabel; readonly index: number } {
  const index = stage.index + 1;
  const place: SourcePlace = scope.places.place(o.instruction.range);
  return {
    index,
    label: {
      name: stepLabel(scope.node, { index, trigger: scope.trigger, text: upperFirstWord(o.text) }),
      written: upperFirstWord(o.instruction.code),
      get variables() {
        return variablesOf(stage, o.instruction, scope);
      },
      group: scope.node.label || undefined,
      place,
      ...(o.mayIgnoreCache && scope.ignoreCache ? { ignoreCache: true } : {}),
    },
  };
}

/** The variables that a step is made of: what RUN is given, and what other instructions name. */
function variablesOf(stage: StageState, instruction: StageInstruction, { escape }: StepScope): readonly StepVariable[] {
  const { env, args, draft } = stage;
  const names = instruction.kind === 'run' ? env.names() : namesIn(instruction, env, escape);
  const fixed = new Set((draft.config.Env ?? []).map((variable) => splitVariable(variable)[0]));
  return names.map((name) => {
    const isArgument = !fixed.has(name) && args.some(({ key }) => key === name);
    return { name, value: env.get(name) ?? '', from: isArgument ? 'ARG' : 'ENV' };
  });
}

function namesIn(instruction: StageInstruction, env: Environment, escape: StepScope['escape']): readonly string[] {
  const files = 'files' in instruction ? instruction.files : [];
  const texts = [
    instruction.code,
    ...files.flatMap(({ content, expand: isExpanded }) => (isExpanded ? [content] : [])),
  ];
  const names = new Set<string>();
  for (const text of texts)
    try {
      for (const name of expand(text, env, { escape, skipQuotes: true }).matched) names.add(name);
    } catch {
      // The whole need not be in the shell's syntax; its words are, each by itself.
    }
  return [...names];
}

/** After a step that makes a layer. */
export function withLayer(
  stage: StageState,
  after: State,
  o: { readonly index: number; readonly createdBy: string },
): StageState {
  return {
    ...stage,
    state: after,
    index: o.index,
    layers: [...stage.layers, { kind: 'step', before: stage.state, after, dialect: 'oci' }],
    draft: withHistory(stage.draft, o.createdBy, true),
  };
}

/** An instruction as progress shows it: variables expanded where that can be done. */
export function shown(stage: StageState, code: string, how: ExpandOptions): string {
  try {
    return expand(code, stage.env, how).text;
  } catch {
    return code;
  }
}

function upperFirstWord(text: string): string {
  const space = text.indexOf(' ');
  return space < 0 ? text.toUpperCase() : text.slice(0, space).toUpperCase() + text.slice(space);
}
