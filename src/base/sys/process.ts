import { createRequire } from 'node:module';
import type * as ffi from 'node:ffi';
import { call } from './call.ts';

/** What this process is before it becomes another program: for a process that exists for that alone, since all of it changes. */

type Check = (result: number, syscall: string, path?: string) => number;

const SIG_SETMASK = 2;
const SIGKILL = 9;
const SIGSTOP = 19;
const LAST_SIGNAL = 64;
/** libc's own, which may not be touched. */
const RESERVED = new Set([SIGKILL, SIGSTOP, 32, 33]);

/** chroot(2), and the new root as the working folder. */
export function chroot(check: Check, path: string): void {
  process.chdir(path);
  check(call('chroot', cstr('.')), 'chroot', path);
}

/** Default actions for all signals, none blocked: Node ignores SIGPIPE, and what is ignored stays so across an exec. */
export function resetSignals(): void {
  for (let signal = 1; signal <= LAST_SIGNAL; signal++) if (!RESERVED.has(signal)) call('signal', signal, 0);
  call('sigprocmask', SIG_SETMASK, Buffer.alloc(128), null);
}

/** setrlimit(2); -1 is no limit. */
export function setLimit(check: Check, resource: number, { soft, hard }: { soft: bigint; hard: bigint }): void {
  const data = Buffer.alloc(16);
  data.writeBigInt64LE(soft, 0);
  data.writeBigInt64LE(hard, 8);
  check(call('setrlimit', resource, data), 'setrlimit');
}

/** execve(2): only comes back to throw. */
export function exec(
  check: Check,
  path: string,
  { args, env }: { args: readonly string[]; env: readonly string[] },
): never {
  const { getRawPointer } = createRequire(import.meta.url)('node:ffi') as typeof ffi;
  const held: Buffer[] = [];
  const vector = (texts: readonly string[]): Buffer => {
    const pointers = Buffer.alloc(8 * (texts.length + 1));
    texts.forEach((text, i) => {
      const bytes = cstr(text);
      held.push(bytes);
      pointers.writeBigUInt64LE(getRawPointer(bytes), 8 * i);
    });
    return pointers;
  };
  check(call('execve', cstr(path), vector(args), vector(env)), 'execve', path);
  throw new Error(`execve "${path}": it came back`);
}

function cstr(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}
