import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Writable } from 'node:stream';
import { errorTable, hasErrno, messageOf } from './error.ts';
import { cancelled, throwIfCancelled, type Wait } from './wait.ts';
import type { Bytes } from './bytes.ts';

export const toolError = errorTable({ TOOL_NOT_FOUND: 'not_found', TOOL_FAILED: 'failed' });

export interface ToolResult {
  /** Exit code; 128 + signal number when a signal ended it. */
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface ToolOptions extends Wait {
  readonly input?: Uint8Array | Bytes | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  /** Also given what the program says on standard error, as it comes. */
  readonly onStderr?: ((chunk: Uint8Array) => void) | undefined;
  /** Throw `TOOL_FAILED` with the end of stderr when the exit code is not 0. On by default. */
  readonly check?: boolean | undefined;
  /** Lead a process group of its own, so that what the program starts is killed with it. */
  readonly group?: boolean | undefined;
}

/** Runs a program to its end and collects what it prints. Killed with SIGKILL when the signal fires. */
export async function runTool(
  command: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<ToolResult> {
  throwIfCancelled(options);
  const child = spawn(command, args, {
    env: options.env ?? process.env,
    cwd: options.cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: options.group === true,
  });
  const kill = (): void => {
    try {
      if (options.group === true && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      else child.kill('SIGKILL');
    } catch {
      // It has ended.
    }
  };
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    stderr.push(chunk);
    options.onStderr?.(chunk);
  });
  const ended = Promise.withResolvers<number>();
  child.on('error', (error) =>
    ended.reject(
      hasErrno(error, 'ENOENT')
        ? toolError('TOOL_NOT_FOUND', `run "${command}": not found`, {
            cause: error,
            remedy: `Install the package that brings "${command}".`,
          })
        : toolError('TOOL_FAILED', `run "${command}": ${messageOf(error)}`, { cause: error }),
    ),
  );
  child.on('close', (code, signal) => ended.resolve(code ?? 128 + (signalNumber(signal) ?? 0)));
  const onAbort = kill;
  options.signal?.addEventListener('abort', onAbort, { once: true });
  child.stdin.on('error', () => undefined);
  try {
    let broken: { readonly error: unknown } | undefined;
    feed(child.stdin, options.input).catch((error: unknown) => {
      broken = { error };
      kill();
    });
    const code = await ended.promise;
    if (options.signal?.aborted) throw cancelled(options.signal.reason);
    if (broken) throw broken.error;
    const text = Buffer.concat(stderr).toString();
    if (code !== 0 && options.check !== false)
      throw toolError('TOOL_FAILED', `run "${command}": exit code ${code}${text.trim() ? `: ${lastLines(text)}` : ''}`);
    return { code, stdout: Buffer.concat(stdout), stderr: text };
  } finally {
    options.signal?.removeEventListener('abort', onAbort);
  }
}

/** The path of a program on PATH (or in sbin, which users' PATHs often lack), or undefined. */
export function findTool(name: string, path = process.env['PATH'] ?? ''): string | undefined {
  for (const folder of [...path.split(delimiter), '/usr/sbin', '/sbin', '/usr/bin', '/bin']) {
    if (folder === '') continue;
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      continue;
    }
  }
  return undefined;
}

/** Writes the input until it ends or the program stops reading. */
async function feed(stdin: Writable, input: Uint8Array | Bytes | undefined): Promise<void> {
  if (input instanceof Uint8Array) stdin.write(input);
  else if (input) {
    for await (const chunk of input) {
      if (stdin.destroyed) break;
      if (stdin.write(chunk)) continue;
      await new Promise<void>((resolve) => {
        const go = (): void => {
          stdin.off('drain', go).off('close', go);
          resolve();
        };
        stdin.once('drain', go).once('close', go);
      });
    }
  }
  stdin.end();
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-5).join('\n');
}

function signalNumber(signal: NodeJS.Signals | null): number | undefined {
  return signal === null
    ? undefined
    : { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15, SIGSEGV: 11, SIGABRT: 6, SIGPIPE: 13 }[signal as string];
}
