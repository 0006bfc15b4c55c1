import { hasCode, kindOf, messageOf } from '../../base/index.ts';
import { describeFailure, type Io } from '../cli/index.ts';
import type { Flag } from './flag.ts';
import { Log } from './log.ts';
import { parseFlags, type ParsedFlags } from './parse-flags.ts';
import { stageOf } from './stage.ts';
import { Values } from './values.ts';

export interface Program {
  readonly name: string;
  /** What stands after the name in the usage line. */
  readonly usage: string;
  readonly about: string;
  readonly flags: readonly Flag[];
  run(parsed: ParsedFlags, o: { readonly io: Io; readonly log: Log; readonly signal: AbortSignal }): Promise<void>;
}

/** Runs a program of kaniko's to its exit code: that of the step that failed, else 1, as kaniko's. What went wrong is one message on standard error. */
export async function runProgram(
  program: Program,
  argv: readonly string[],
  o: { readonly io: Io; readonly signal: AbortSignal },
): Promise<number> {
  const { io, signal } = o;
  if (argv.some((word) => word === '--help' || word === '-h')) {
    io.stdout.write(helpOf(program));
    return 0;
  }
  try {
    const parsed = parseFlags(argv, program.flags);
    const values = new Values(parsed, { flags: program.flags, env: io.env });
    const log = new Log({
      clock: io.clock,
      write: (text) => io.stderr.write(text),
      level: values.text('verbosity') ?? 'info',
      format: values.text('log-format') ?? 'color',
      timestamp: values.bool('log-timestamp'),
    });
    tellNotes(program, parsed, { log, env: io.env });
    await program.run(parsed, { io, log, signal });
    return 0;
  } catch (error) {
    if (signal.aborted) {
      io.stderr.write(`${messageOf(signal.reason)}\n`);
      return kindOf(signal.reason) === 'cancelled' ? 130 : 1;
    }
    const { words = 'Error', source } = stageOf(error) ?? {};
    io.stderr.write(describeFailure(error, { color: false, source }).replace(/^error: /, () => `${words}: `));
    return exitCodeOf(error);
  }
}

/** A flag that has nothing to do is accepted with one line that says so. */
function tellNotes(program: Program, parsed: ParsedFlags, o: { readonly log: Log; readonly env: Io['env'] }): void {
  for (const flag of program.flags) {
    if (!parsed.given.has(flag.name)) continue;
    if (flag.means !== undefined) o.log.warn(`Flag --${flag.name} is deprecated. Use: --${flag.means}`);
    else if (flag.standing === 'accepted') o.log.info(`--${flag.name} has no effect: ${flag.note ?? ''}`);
    else if (flag.says) o.log.warn(`--${flag.name}: ${flag.note ?? ''}`);
  }
  const switches = Object.keys(o.env).filter((name) => name.startsWith('FF_KANIKO_'));
  if (switches.length > 0) o.log.info(`${switches.join(', ')}: no effect, builds are as BuildKit does them`);
}

/** kaniko gives the exit code of the command of a RUN line on. */
function exitCodeOf(error: unknown): number {
  const code = hasCode(error, 'STEP_FAILED') ? /exit code: (\d+)(?: \([^)]*\))?$/.exec(error.message)?.[1] : undefined;
  return code === undefined ? 1 : Number(code);
}

function helpOf(program: Program): string {
  const rows = program.flags
    .filter(({ hidden }) => !hidden)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, short, kind, about, fallback, env }): [string, string] => [
      `${short === undefined ? '    ' : `-${short}, `}--${name}${kind === 'bool' ? '' : ` ${kind === 'list' || kind === 'words' ? 'text…' : kind}`}`,
      `${about}${fallback === undefined ? '' : ` (default ${fallback})`}${env === undefined ? '' : ` [$${env}]`}`,
    ]);
  const width = Math.max(...rows.map(([flag]) => flag.length));
  const lines = rows.map(([flag, text]) => `  ${flag.padEnd(width)}  ${text}`);
  return `${program.about}\n\nUsage:\n  ${program.name} ${program.usage}\n\nFlags:\n${lines.join('\n')}\n`;
}
