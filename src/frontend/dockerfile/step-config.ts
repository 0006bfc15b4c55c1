import { dockerfileError } from './errors.ts';
import { printList, quote, quoteList } from './go-text.ts';
import { printHealthcheck } from './healthcheck.ts';
import { shellOf, withConfig, withHistory, withVariable, type ImageDraft } from './image-draft.ts';
import type {
  ArgInstruction,
  CmdInstruction,
  EntrypointInstruction,
  EnvInstruction,
  ExposeInstruction,
  HealthcheckInstruction,
  LabelInstruction,
  Pair,
  ShellInstruction,
  TextInstruction,
  VolumeInstruction,
} from './instruction.ts';
import { parsePorts } from './ports.ts';
import { isVariable, expandIn, type BuildArgument, type StageState, type StepScope } from './stage-state.ts';
import { commentFor } from './comment-for.ts';

/** The instructions that change the config and nothing else. */

export function env(stage: StageState, instruction: EnvInstruction, scope: StepScope): StageState {
  const pairs = expandPairs(stage, instruction, scope);
  let { env: variables, draft } = stage;
  for (const { key, value } of pairs) {
    lintSecret('ENV', key, { instruction, scope });
    variables = variables.with(key, value);
    draft = withVariable(draft, key, value);
  }
  return { ...stage, env: variables, draft: withHistory(draft, `ENV ${printPairs(pairs)}`, false) };
}

export function label(stage: StageState, instruction: LabelInstruction, scope: StepScope): StageState {
  const pairs = expandPairs(stage, instruction, scope);
  const own = Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
  const labels = sorted({ ...stage.draft.config.Labels, ...own });
  return noted(stage, withConfig(stage.draft, { Labels: labels }), `LABEL ${printPairs(pairs)}`);
}

export function arg(stage: StageState, instruction: ArgInstruction, scope: StepScope): StageState {
  let { env: variables } = stage;
  const args: BuildArgument[] = [];
  for (const { key, value: written } of instruction.args) {
    lintSecret('ARG', key, { instruction, scope });
    const value =
      scope.options.buildArgs.get(key) ??
      (written === undefined
        ? scope.globals.get(key)
        : expandIn({ ...stage, env: variables, args: [...stage.args, ...args] }, scope, { instruction, text: written })
            .text);
    if (value !== undefined && isVariable(key)) variables = variables.with(key, value);
    args.push({ key, value });
    noteArgument(scope, { key, written, value, instruction });
  }
  const text = args.map(({ key, value }) => (value === undefined ? key : `${key}=${value}`)).join(' ');
  const draft = withHistory(stage.draft, `ARG ${text}`, false);
  return { ...stage, env: variables, args: [...stage.args, ...args], draft };
}

/** What comes from a global ARG is shown as that. */
function noteArgument(
  { options, globals, outline }: StepScope,
  o: {
    readonly key: string;
    readonly written: string | undefined;
    readonly value: string | undefined;
    readonly instruction: ArgInstruction;
  },
): void {
  const { key, written, value = '', instruction } = o;
  if (outline === undefined) return;
  outline.used.add(key);
  if (written === undefined && !options.buildArgs.has(key) && globals.get(key) !== undefined) return;
  const description = commentFor(key, instruction.comments);
  outline.args.set(key, { name: key, value, description, range: instruction.range });
}

export function cmd(stage: StageState, instruction: CmdInstruction, scope: StepScope): StageState {
  const before = once(stage, instruction, scope);
  const args = commandArgs(before, instruction, scope);
  return noted(before, withConfig(before.draft, { Cmd: args, ArgsEscaped: true }), `CMD ${quoteList(args)}`);
}

export function entrypoint(stage: StageState, instruction: EntrypointInstruction, scope: StepScope): StageState {
  const before = once(stage, instruction, scope);
  const args = commandArgs(before, instruction, scope);
  const inherited = before.seen.cmd === undefined ? { Cmd: undefined } : {};
  return noted(before, withConfig(before.draft, { Entrypoint: args, ...inherited }), `ENTRYPOINT ${quoteList(args)}`);
}

export function healthcheck(stage: StageState, instruction: HealthcheckInstruction, scope: StepScope): StageState {
  const before = once(stage, instruction, scope);
  const { health } = instruction;
  return noted(before, withConfig(before.draft, { Healthcheck: health }), `HEALTHCHECK ${printHealthcheck(health)}`);
}

export function expose(stage: StageState, instruction: ExposeInstruction, scope: StepScope): StageState {
  const { range } = instruction;
  const ports: string[] = [];
  for (const text of instruction.ports)
    for (const word of expandIn(stage, scope, { instruction, text, how: {} }).words) {
      const found = parsePorts(word);
      if (found.upperCaseProtocol)
        scope.lint.report(
          'ExposeProtoCasing',
          range,
          `Defined protocol '${word}' in EXPOSE instruction should be lowercase`,
        );
      if (found.mapping)
        scope.lint.report(
          'ExposeInvalidFormat',
          range,
          `EXPOSE instruction should not define an IP address or host-port mapping, found '${word}'`,
        );
      ports.push(...found.ports);
    }
  const own = Object.fromEntries(ports.map((port) => [port, {}]));
  const all = sorted({ ...stage.draft.config.ExposedPorts, ...own });
  return noted(stage, withConfig(stage.draft, { ExposedPorts: all }), `EXPOSE ${printList(ports)}`);
}

export function volume(stage: StageState, instruction: VolumeInstruction, scope: StepScope): StageState {
  const volumes = instruction.volumes.map((text) => expandIn(stage, scope, { instruction, text }).text);
  if (volumes.includes(''))
    throw dockerfileError('DOCKERFILE_INSTRUCTION', 'VOLUME specified can not be an empty string', {
      remedy: 'Set the variable, or remove the element.',
    });
  const own = Object.fromEntries(volumes.map((path) => [path, {}]));
  const all = sorted({ ...stage.draft.config.Volumes, ...own });
  return noted(stage, withConfig(stage.draft, { Volumes: all }), `VOLUME ${printList(volumes)}`);
}

export function shell(stage: StageState, { shell: words }: ShellInstruction): StageState {
  return noted(stage, withConfig(stage.draft, { Shell: words }), `SHELL ${printList(words)}`);
}

export function user(stage: StageState, instruction: TextInstruction, scope: StepScope): StageState {
  const { text } = expandIn(stage, scope, { instruction, text: instruction.text });
  return noted(stage, withConfig(stage.draft, { User: text }), `USER ${text}`);
}

export function maintainer(stage: StageState, { text }: TextInstruction): StageState {
  return noted(stage, { ...stage.draft, author: text }, `MAINTAINER ${text}`);
}

export function onbuild(stage: StageState, { text }: TextInstruction): StageState {
  const triggers = [...(stage.draft.config.OnBuild ?? []), text];
  return { ...stage, draft: withConfig(stage.draft, { OnBuild: triggers }) };
}

const SIGNALS: ReadonlySet<string> = new Set([
  ...'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX'.split(
    ' ',
  ),
  ...Array.from({ length: 15 }, (_, index) => `RTMIN+${index + 1}`),
  ...Array.from({ length: 14 }, (_, index) => `RTMAX-${index + 1}`),
]);

export function stopsignal(stage: StageState, instruction: TextInstruction, scope: StepScope): StageState {
  const { text } = expandIn(stage, scope, { instruction, text: instruction.text });
  const number = /^[+-]?\d+$/.test(text);
  if (number ? Number(text) === 0 : !SIGNALS.has(text.toUpperCase().replace(/^SIG/, '')))
    throw dockerfileError('DOCKERFILE_INSTRUCTION', `invalid signal: ${text}`, {
      remedy: 'Write a signal such as SIGTERM, or its number.',
    });
  return noted(stage, withConfig(stage.draft, { StopSignal: text }), `STOPSIGNAL ${text}`);
}

function noted(stage: StageState, draft: ImageDraft, createdBy: string): StageState {
  return { ...stage, draft: withHistory(draft, createdBy, false) };
}

/** Warns about an earlier one in the stage, which this one makes useless. */
function once(
  stage: StageState,
  instruction: CmdInstruction | EntrypointInstruction | HealthcheckInstruction,
  scope: StepScope,
): StageState {
  const earlier = stage.seen[instruction.kind];
  if (earlier !== undefined)
    scope.lint.report(
      'MultipleInstructionsDisallowed',
      earlier,
      `Multiple ${instruction.name} instructions should not be used in the same stage because only the last one will be used`,
    );
  return { ...stage, seen: { ...stage.seen, [instruction.kind]: instruction.range } };
}

function commandArgs(
  stage: StageState,
  instruction: CmdInstruction | EntrypointInstruction,
  scope: StepScope,
): readonly string[] {
  if (!instruction.shell) return instruction.args;
  if ((stage.draft.config.Shell ?? []).length === 0)
    scope.lint.report(
      'JSONArgsRecommended',
      instruction.range,
      `JSON arguments recommended for ${instruction.name} to prevent unintended behavior related to OS signals`,
    );
  return [...shellOf(stage.draft), instruction.args.join(' ')];
}

function expandPairs(
  stage: StageState,
  instruction: EnvInstruction | LabelInstruction,
  scope: StepScope,
): readonly Pair[] {
  return instruction.pairs.map(({ key, value, legacy }) => {
    if (legacy)
      scope.lint.report(
        'LegacyKeyValueFormat',
        instruction.range,
        `"${instruction.name} key=value" should be used instead of legacy "${instruction.name} key value" format`,
      );
    const word = (text: string): string => expandIn(stage, scope, { instruction, text }).text;
    return { key: word(key), value: word(value), legacy };
  });
}

function printPairs(pairs: readonly Pair[]): string {
  return pairs.map(({ key, value }) => `${key}=${value}`).join(' ');
}

const SECRET = /(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)/i;
const HARMLESS = /(?:_|^)(?:public|file|version)(?:_|$)/i;

function lintSecret(
  instruction: 'ARG' | 'ENV',
  key: string,
  o: { readonly instruction: ArgInstruction | EnvInstruction; readonly scope: StepScope },
): void {
  if (!SECRET.test(key) || HARMLESS.test(key)) return;
  o.scope.lint.report(
    'SecretsUsedInArgOrEnv',
    o.instruction.range,
    `Do not use ARG or ENV instructions for sensitive data (${instruction} ${quote(key)})`,
  );
}

/** A map with its keys in order, as Go writes maps. */
export function sorted<T>(values: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
}
