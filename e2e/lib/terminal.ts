import { spawn } from 'node:child_process';
import { findTool } from '../../src/base/index.ts';
import { CHECKOUT } from './strake.ts';
import type { TestUser } from './user.ts';

/** Why there are no terminals here, or undefined. */
export const noTerminal: string | undefined =
  findTool('script') === undefined ? 'script (bsdutils) is not installed' : undefined;

/** A shell command on a terminal of its own, made by script(1). */
export interface OnTerminal {
  /** All that the terminal was sent so far. */
  readonly said: () => string;
  /** Waits until that has this in it, and gives the match. Fails when the command ends before. */
  says(what: RegExp): Promise<RegExpExecArray>;
  type(text: string): void;
  /** The terminal goes away. */
  hangUp(): void;
  /** Number of the process that became the command. */
  pid(): Promise<number>;
  /** Its exit code, 128 + n for signal n. */
  readonly ended: Promise<number>;
}

const LONGEST_MS = 60_000;

/** `command` is one that a shell may be replaced by. 90 columns, 30 rows. */
export function onTerminal(
  command: string,
  o: {
    readonly root: string;
    readonly user?: TestUser | undefined;
    readonly cwd?: string | undefined;
    readonly env?: Readonly<Record<string, string>> | undefined;
  },
): OnTerminal {
  const line = `stty rows 30 cols 90; echo "pid $$"; exec ${command}`;
  const script = ['script', '-qefc', line, '/dev/null'];
  const [program = '', ...args] = o.user ? [...o.user.prefix, ...script] : script;
  const child = spawn(program, args, {
    cwd: o.cwd ?? CHECKOUT,
    env: {
      PATH: process.env['PATH'],
      HOME: o.user?.home ?? process.env['HOME'],
      STRAKE_ROOT: o.root,
      SHELL: '/bin/sh',
      TERM: 'xterm',
      NO_COLOR: '1',
      LANG: 'C.UTF-8',
      ...o.env,
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  // What never comes fails with what came.
  const bound = setTimeout(() => child.kill('SIGKILL'), LONGEST_MS);
  let [said, over] = ['', false];
  let wake = (): void => undefined;
  child.stdin.on('error', () => undefined);
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    wake();
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      over = true;
      clearTimeout(bound);
      resolve(code ?? 128 + ({ SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }[signal as string] ?? 0));
      wake();
    });
  });
  const says = async (what: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = what.exec(said);
      if (found) return found;
      if (over) throw new Error(`it ended without saying ${String(what)}:\n${said}`);
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return {
    said: () => said,
    says,
    type: (text) => void child.stdin.write(text),
    hangUp: () => void child.kill('SIGKILL'),
    pid: async () => Number((await says(/^pid (\d+)\r$/m))[1]),
    ended,
  };
}
