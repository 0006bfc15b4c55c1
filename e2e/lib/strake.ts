import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { TestUser } from './user.ts';

export const CHECKOUT: string = join(import.meta.dirname, '../..');

export interface StrakeResult {
  /** Exit code; 128 + n when signal n ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StrakeOptions {
  readonly root: string;
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Run as this ordinary user. */
  readonly user?: TestUser | undefined;
  readonly input?: string | Uint8Array | undefined;
  /** Called when the process runs, to send it signals. */
  readonly onStart?: ((pid: number) => void) | undefined;
  /** Umask of the process. */
  readonly umask?: string | undefined;
}

/** Runs the program as a person would, from the checkout's launcher, with a store of its own. */
export function strake(args: readonly string[], o: StrakeOptions): Promise<StrakeResult> {
  const launcher = join(CHECKOUT, 'strake');
  const command =
    o.umask === undefined ? [launcher, ...args] : ['sh', '-c', `umask ${o.umask}; exec "$@"`, 'sh', launcher, ...args];
  const [program = '', ...rest] = o.user ? [...o.user.prefix, ...command] : command;
  const env: Record<string, string> = {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: o.user?.home ?? process.env['HOME'] ?? '/root',
    LANG: 'C.UTF-8',
    STRAKE_ROOT: o.root,
    NO_COLOR: '1',
    ...o.env,
  };
  const child = spawn(program, rest, { cwd: o.cwd ?? CHECKOUT, env, stdio: ['pipe', 'pipe', 'pipe'] });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', () => undefined);
  child.stdin.end(o.input);
  if (child.pid !== undefined) o.onStart?.(child.pid);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) =>
      resolve({
        code: code ?? 128 + ({ SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }[signal as string] ?? 0),
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      }),
    );
  });
}

/** `strake`, expected to succeed. */
export async function ok(args: readonly string[], o: StrakeOptions): Promise<StrakeResult> {
  const result = await strake(args, o);
  if (result.code !== 0)
    throw new Error(`strake ${args.join(' ')} ended with ${result.code}\n${result.stderr}\n${result.stdout}`);
  return result;
}

/** What the plain log says of each step: name -> `DONE`, `CACHED (recipe)`, `CACHED (content)`, `ERROR…`. */
export function stepsOf(log: string): Map<string, string> {
  const names = new Map<string, string>();
  const steps = new Map<string, string>();
  for (const line of log.split('\n')) {
    const match = /^#(\d+) (.*)$/.exec(line);
    if (!match?.[1] || match[2] === undefined) continue;
    const [, number, text] = match;
    const name = names.get(number);
    if (name === undefined) names.set(number, text);
    else if (/^(DONE|CACHED|ERROR|CANCELED)/.test(text)) steps.set(name, text.replace(/^DONE.*/, 'DONE'));
  }
  return steps;
}
