import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { CHECKOUT } from '../lib/strake.ts';

/** A `strake run` in the background. */
export interface Running {
  readonly pid: number;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Waits until its output has this in it, and gives that. Fails when it ends before. */
  says(what: RegExp): Promise<string>;
  type(text: string): void;
  /** 128 + n for signal n. */
  readonly ended: Promise<number>;
}

/** `prefix`: what the command is started by. */
export function startRun(
  args: readonly string[],
  o: {
    readonly root: string;
    readonly prefix?: readonly string[];
    readonly home?: string | undefined;
    readonly cwd?: string;
  },
): Running {
  const [program = '', ...rest] = [...(o.prefix ?? []), join(CHECKOUT, 'strake'), 'run', ...args];
  const child = spawn(program, rest, {
    cwd: o.cwd ?? CHECKOUT,
    env: {
      PATH: process.env['PATH'],
      HOME: o.home ?? process.env['HOME'],
      STRAKE_ROOT: o.root,
      NO_COLOR: '1',
      LANG: 'C.UTF-8',
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let [out, err, over] = ['', '', false];
  const wakers = new Set<() => void>();
  const wake = (): void => {
    for (const waker of wakers) waker();
  };
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    wake();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
    wake();
  });
  child.stdin.on('error', () => undefined);
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      over = true;
      resolve(code ?? 128 + ({ SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }[signal as string] ?? 0));
      wake();
    });
  });
  return {
    pid: child.pid ?? 0,
    stdout: () => out,
    stderr: () => err,
    ended,
    type: (text) => void child.stdin.write(text),
    says: async (what) => {
      for (;;) {
        const found = what.exec(out) ?? what.exec(err);
        if (found) return found[0];
        if (over) throw new Error(`it ended without saying ${String(what)}:\n${out}\n${err}`);
        await new Promise<void>((resolve) => {
          wakers.add(resolve);
        });
        wakers.clear();
      }
    },
  };
}

/** A port of this machine that was free a moment ago, below those that the kernel gives to connections: no stranger takes it meanwhile. */
export async function freePort(): Promise<number> {
  const { createServer } = await import('node:net');
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
