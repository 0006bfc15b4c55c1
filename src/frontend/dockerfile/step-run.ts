import type { ExecOp } from '../../graph/index.ts';
import { notSupportedYet } from './errors.ts';
import { chompTabs, heredocWord } from './heredoc.ts';
import { shellOf } from './image-draft.ts';
import type { RunInstruction } from './instruction.ts';
import { mountsOf } from './step-mounts.ts';
import { folderOf, nextLabel, shown, withLayer, type StageState, type StepScope } from './stage-state.ts';

const AGENT = 'SSH_AUTH_SOCK';

/** What RUN starts, and the files it is given. */
interface Command {
  readonly args: readonly string[];
  readonly files: ExecOp['files'];
  /** Its heredoc in short, for progress. */
  readonly summary: string;
}

/** RUN (facts 1.2, 1.7). */
export function run(stage: StageState, instruction: RunInstruction, scope: StepScope): StageState {
  const { options } = scope;
  const command = commandOf(stage, instruction);
  const { mounts, inputs, agent, secretNames } = mountsOf(stage, instruction, scope);
  // The words of progress show that a variable comes from a secret, not what an ARG of the same name holds.
  const masked = secretNames.reduce((env, name) => env.with(name, '****'), stage.env);
  const text = shown({ ...stage, env: masked }, instruction.code + command.summary, {
    escape: scope.escape,
    rawQuotes: true,
    skipUnset: true,
  });
  const { label, index } = nextLabel(stage, scope, { instruction, text, mayIgnoreCache: true });
  const proxyEnv = proxyVariables(options.buildArgs);
  const after = stage.state.exec(
    {
      args: command.args,
      env: (agent === undefined || stage.env.get(AGENT) !== undefined
        ? stage.env
        : stage.env.with(AGENT, agent)
      ).list(),
      cwd: folderOf(stage),
      user: stage.draft.config.User ?? '',
      mounts: [{ type: 'bind', target: '/', input: 0, readonly: false, output: 0 }, ...mounts],
      network: instruction.network === 'default' ? options.network : instruction.network,
      security: instruction.security,
      hostname: options.hostname,
      extraHosts: options.extraHosts.length === 0 ? undefined : options.extraHosts,
      ulimits: options.ulimits.length === 0 ? undefined : options.ulimits,
      shmSize: options.shmSize,
      resources: options.resources,
      cgroupParent: options.cgroupParent,
      files: command.files,
      proxyEnv: proxyEnv.length === 0 ? undefined : proxyEnv,
      platform: stage.platform,
    },
    inputs,
    label,
  );
  return withLayer(stage, after, { index, createdBy: `RUN ${historyText(stage, command.args)} # buildkit` });
}

/** Throws `DOCKERFILE_NOT_SUPPORTED_YET` for the flags that come later. */
export function refuseRunFlags(instruction: RunInstruction, places: StepScope['places']): void {
  const place = places.place(instruction.range);
  if (instruction.devices.length > 0) throw notSupportedYet('RUN --device', place, 'Leave the flag out.');
}

function commandOf(stage: StageState, instruction: RunInstruction): Command {
  const { heredocs } = instruction;
  const only = heredocs[0];
  const text = instruction.args[0] ?? '';
  if (!instruction.shell || only === undefined) return inShell(stage, instruction, instruction.args, '');
  if (heredocWord(text) === undefined) {
    const joined = text + heredocs.map((heredoc) => `\n${heredoc.content}${heredoc.name}`).join('');
    return inShell(stage, instruction, [joined], '');
  }
  const script = only.chomp ? chompTabs(only.content) : only.content;
  const summary = ` (${summarize(only.content)})`;
  if (stage.draft.os === 'windows' || !script.startsWith('#!')) return inShell(stage, instruction, [script], summary);
  const path = `/dev/pipes/${only.name}`;
  const shell = inShell(stage, instruction, [path], summary);
  return { ...shell, files: [{ path, content: script, mode: 0o755 }] };
}

function inShell(stage: StageState, instruction: RunInstruction, args: readonly string[], summary: string): Command {
  const full = instruction.shell ? [...shellOf(stage.draft), args.join(' ')] : args;
  return { args: full, files: undefined, summary };
}

function summarize(content: string): string {
  const lines = content.trim().replaceAll('\r\n', '\n').split('\n');
  return (lines[0] ?? '') + (lines.length > 1 ? '...' : '');
}

/** `|2 a=1 b=2 /bin/sh -c …`: the ARGs in the order they were declared, with the values that the step sees. */
function historyText(stage: StageState, args: readonly string[]): string {
  const values = new Map<string, string>();
  for (const { key, value } of stage.args) values.set(key, stage.env.get(key) ?? value ?? '');
  const prefix = values.size === 0 ? [] : [`|${values.size}`, ...[...values].map(([key, value]) => `${key}=${value}`)];
  return [...prefix, ...args].join(' ');
}

const PROXIES = ['http_proxy', 'https_proxy', 'ftp_proxy', 'no_proxy', 'all_proxy'];

/** The proxies among the build arguments, in both cases. Of two spellings of one the later in code order counts. */
function proxyVariables(buildArgs: ReadonlyMap<string, string>): readonly string[] {
  return PROXIES.flatMap((proxy) => {
    const spelling = [...buildArgs.keys()].sort().findLast((name) => name.toLowerCase() === proxy);
    const value = spelling === undefined ? '' : (buildArgs.get(spelling) ?? '');
    return value === '' ? [] : [`${proxy.toUpperCase()}=${value}`, `${proxy}=${value}`];
  });
}
