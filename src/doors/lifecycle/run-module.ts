import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { throwIfCancelled, type Wait } from '../../base/index.ts';

/** Runs a program of a module as a child with just this environment (`NAME=value`), to its exit code: 128 + n for signal n. `output`: a file descriptor for both its streams; absent: they are this process's. Throws system errors where it cannot be started. */
export async function runModule(
  argv: readonly [string, ...string[]],
  o: { cwd: string; env: readonly string[]; output?: number | undefined } & Wait,
): Promise<number> {
  const [program, ...args] = argv;
  const env = Object.fromEntries(
    o.env.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  const stream = o.output ?? 'inherit';
  // A group of its own, so that what it started ends with it.
  const child = spawn(program, args, { cwd: o.cwd, env, stdio: ['ignore', stream, stream], detached: true });
  const end = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // Nobody is left.
    }
  };
  o.signal?.addEventListener('abort', end, { once: true });
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 9)));
      if (o.signal?.aborted) end();
    });
    throwIfCancelled(o);
    return code;
  } finally {
    o.signal?.removeEventListener('abort', end);
    end();
  }
}
