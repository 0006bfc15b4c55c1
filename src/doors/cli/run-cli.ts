import { Command, CommanderError } from 'commander';
import { CodedError } from '../../base/index.ts';
import { describeFailure, exitCodeOf } from './failure.ts';
import { defaultSettings, storeFolder, type Settings } from './settings.ts';

export interface CliContext {
  readonly settings: Settings;
  readonly signal: AbortSignal;
}

/** A command: where it is declared, and what loads it. Only the one that is called is loaded. */
export interface CliCommand {
  define(command: Command, run: (action: (context: CliContext) => Promise<number | void>) => Promise<void>): void;
}

const COMMANDS: Readonly<Record<string, { summary: string; load: () => Promise<{ command: CliCommand }> }>> = {
  build: { summary: 'build an image from a Dockerfile', load: () => import('./commands/build.ts') },
};

/** Runs one command line to its exit code. */
export async function runCli(argv: readonly string[]): Promise<number> {
  const defaults = defaultSettings();
  const color = useColor(defaults.env);
  const controller = new AbortController();
  let code = 0;
  const program = new Command('strake');
  program
    .exitOverride()
    .option('--root <folder>', 'the store (STRAKE_ROOT; default: ~/.local/share/strake)')
    .enablePositionalOptions();
  const interrupted = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new CodedError({ code: 'INTERRUPTED', kind: 'cancelled', message: `interrupted by ${signal}` }));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupted);
  const run = async (action: (context: CliContext) => Promise<number | void>): Promise<void> => {
    const { root } = program.opts<{ root?: string }>();
    const settings: Settings = { ...defaults, root: storeFolder({ root, ...defaults }), project: defaults.cwd };
    code = (await action({ settings, signal: controller.signal })) ?? 0;
  };
  try {
    const name = argv.find((arg) => !arg.startsWith('-'));
    for (const [command, { summary, load }] of Object.entries(COMMANDS)) {
      const declared = program.command(command).summary(summary);
      if (command === name) (await load()).command.define(declared, run);
    }
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 64;
    process.stderr.write(describeFailure(error, { color }));
    return exitCodeOf(error);
  }
}

function useColor(env: Settings['env']): boolean {
  return process.stderr.isTTY && env['NO_COLOR'] === undefined && env['TERM'] !== 'dumb';
}
