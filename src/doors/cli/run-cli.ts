import { CommanderError, type Command } from 'commander';
import { hasCode, kindOf, messageOf } from '../../base/index.ts';
import { COMMANDS } from './commands/index.ts';
import { createProgram } from './program.ts';
import type { CliContext } from './command.ts';
import { usage } from './errors.ts';
import { PIPE_CODE } from './exit-code.ts';
import { describeFailure, exitCodeOf, type FailureNote, type SourceLookup } from './failure.ts';
import type { Io } from './io.ts';
import { oneOf } from './parse/values.ts';
import { EXECUTORS, groundSetting, pathsNamed, storeFolder, type Settings } from './settings.ts';

/** Runs one command line to its exit code; what goes wrong is told on standard error. */
export async function runCli(
  argv: readonly string[],
  o: { readonly io: Io; readonly signal: AbortSignal },
): Promise<number> {
  const { io, signal } = o;
  let code = 0;
  const run = async (command: Command, action: (context: CliContext) => Promise<number | void>): Promise<void> => {
    code = (await action({ settings: settingsOf(command, io), io, signal })) ?? 0;
  };
  try {
    const program = await createProgram(argv, { run, io });
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0;
    const error = thrown instanceof CommanderError ? ofCommander(thrown, argv) : thrown;
    if (hasCode(thrown, 'OUTPUT_CLOSED')) return PIPE_CODE;
    if (signal.aborted) return interrupted(signal.reason, io);
    if (!isTold(thrown))
      io.stderr.write(describeFailure(error, { color: io.errStyle.colored, ...marks.get(thrown as object) }));
    return exitCodeOf(error);
  }
}

/** What a command has said of an error that it threw. */
export interface FailureMarks {
  /** It has been told of in the command's own way. */
  readonly told?: boolean | undefined;
  /** How the file that it points into can be read. */
  readonly source?: SourceLookup | undefined;
  /** What else is to be said of it. */
  readonly after?: readonly FailureNote[] | undefined;
}

const marks = new WeakMap<object, FailureMarks>();

export function markFailure(error: unknown, more: FailureMarks): void {
  if (typeof error !== 'object' || error === null) return;
  marks.set(error, { ...marks.get(error), ...more });
}

export function marksOf(error: unknown): FailureMarks {
  return (typeof error === 'object' && error !== null ? marks.get(error) : undefined) ?? {};
}

function isTold(error: unknown): boolean {
  return marksOf(error).told === true;
}

function interrupted(reason: unknown, io: Io): number {
  if (!hasCode(reason, 'OUTPUT_CLOSED')) io.stderr.write(`${io.errStyle.yellow(messageOf(reason))}\n`);
  return kindOf(reason) === 'cancelled' ? 130 : exitCodeOf(reason);
}

/** commander's words as one of our messages: the suggestion becomes the remedy. */
function ofCommander(error: CommanderError, argv: readonly string[]): Error {
  const [, text = '', suggestion] = /^(?:error: )?([\s\S]*?)(?:\n\((Did you mean .*\?)\))?$/.exec(error.message) ?? [];
  const command = argv.find((arg) => COMMANDS.some(({ name, aliases }) => name === arg || aliases?.includes(arg)));
  const help =
    error.code === 'commander.unknownCommand' || command === undefined ? 'strake help' : `strake ${command} --help`;
  return usage(
    text.replaceAll("'", '"').replace(/\.$/, ''),
    `${suggestion === undefined ? '' : `${suggestion} `}See "${help}".`,
  );
}

function settingsOf(command: Command, io: Io): Settings {
  const options = command.optsWithGlobals<{
    root?: string;
    executor?: string;
    ground?: string;
    mirror?: string;
    keyring?: string;
    insecureRegistry?: readonly string[];
    on?: string;
    tlsCa?: string;
    tlsCert?: string;
    tlsKey?: string;
    tlsServerName?: string;
  }>();
  const { tlsCa: ca, tlsCert: cert, tlsKey: key, tlsServerName: serverName } = options;
  const on = options.on ?? io.env['STRAKE_ON'];
  return {
    root: storeFolder({ root: options.root, ...io }),
    project: io.cwd,
    executor: options.executor === undefined ? undefined : oneOf(EXECUTORS, '--executor')(options.executor),
    ground: groundSetting(options.ground, io.env),
    guarded: pathsNamed(
      [...(command.args.length > 0 ? command.args : ['.']), ...Object.values(options).flat().map(String)],
      io.cwd,
    ),
    mirror: options.mirror,
    keyring: options.keyring,
    insecure: options.insecureRegistry ?? [],
    on: on === '' ? undefined : on,
    tls: [ca, cert, key, serverName].some((one) => one !== undefined) ? { ca, cert, key, serverName } : undefined,
  };
}
