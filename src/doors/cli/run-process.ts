import { constants } from 'node:os';
import { hasErrno, type CodedError } from '../../base/index.ts';
import { cliError } from './errors.ts';
import { PIPE_CODE } from './exit-code.ts';
import { describeFailure, exitCodeOf } from './failure.ts';
import type { Io } from './io.ts';
import { processIo } from './process-io.ts';
import { runCli } from './run-cli.ts';
import { isStopAccepted } from './stop-accepted.ts';

/** How long what was interrupted may take to put things away. */
const PATIENCE_MS = 1700;
const ECHO_MS = 100;
const SHOW_CURSOR = '\x1b[?25h';
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What runs a command line to its exit code. */
export type RunLine = (
  argv: readonly string[],
  o: { readonly io: Io; readonly signal: AbortSignal },
) => Promise<number>;

/** Runs a command line in this process to its exit code: signals, a reader that goes away and defects are dealt with here. */
export async function runProcess(
  argv: readonly string[],
  run: RunLine = runCli,
  o: {
    /** It serves until it is stopped, says itself how long stopping may take, and outlives what goes wrong for one of those it serves. */
    readonly lasting?: boolean | undefined;
  } = {},
): Promise<number> {
  const io = processIo();
  const controller = new AbortController();
  let forced: number | undefined;
  let stoppedAt = 0;
  const leave = (code: number): never => {
    if (process.stderr.isTTY) process.stderr.write(SHOW_CURSOR);
    process.exit(code);
  };
  const stop = (code: number, reason: CodedError): void => {
    if (forced !== undefined) return;
    forced = code;
    stoppedAt = performance.now();
    controller.abort(reason);
    // What hangs is left to the next command, which puts right what a killed one leaves.
    if (o.lasting !== true) setTimeout(() => leave(code), PATIENCE_MS).unref();
  };
  for (const name of SIGNALS)
    process.on(name, () => {
      const code = 128 + constants.signals[name];
      const now = performance.now();
      // A launcher passes on what the terminal sent to both: that is no second wish.
      if (forced !== undefined && now - stoppedAt > ECHO_MS) leave(code);
      stop(code, cliError('INTERRUPTED', `interrupted by ${name}`));
    });
  process.stdout.on('error', (error) => {
    if (hasErrno(error, 'EPIPE'))
      stop(PIPE_CODE, cliError('OUTPUT_CLOSED', 'write to standard output: its reader has gone'));
    else throw error;
  });
  process.stderr.on('error', () => undefined);
  const defect = (error: unknown): void => {
    process.stderr.write(describeFailure(error, { color: io.errStyle.colored }));
    leave(exitCodeOf(error) === 0 ? 70 : exitCodeOf(error));
  };
  process.on('uncaughtException', defect);
  process.on('unhandledRejection', (error) => {
    if (o.lasting === true) process.stderr.write(describeFailure(error, { color: io.errStyle.colored }));
    else defect(error);
  });
  const code = await run(argv, { io, signal: controller.signal });
  // What a slow reader of a pipe has not taken yet would be lost with the process.
  if (process.stdout.writableLength > 0) await new Promise((resolve) => process.stdout.write('', resolve));
  return isStopAccepted(controller.signal) ? code : (forced ?? code);
}
