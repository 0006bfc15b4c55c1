import { readFileSync } from 'node:fs';
import type { CodedError } from '../base/index.ts';
import { workerError } from './errors.ts';

/** How often the kernel has killed a process for want of memory, on the whole machine (`oom_kill` of /proc/vmstat, Linux 4.13); undefined where it does not say. */
export function memoryKills(): number | undefined {
  try {
    const [, count] = /^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'latin1')) ?? [];
    return count === undefined ? undefined : Number(count);
  } catch {
    return undefined;
  }
}

/** `STEP_FAILED` for a process that ended with this code. `killedBefore` and `killedAfter`: `memoryKills` around it. */
export function stepFailure(
  args: readonly string[],
  o: {
    readonly code: number;
    readonly killedBefore: number | undefined;
    readonly killedAfter: number | undefined;
  },
): CodedError {
  const { code, killedBefore, killedAfter } = o;
  const known = killedBefore !== undefined && killedAfter !== undefined;
  const outOfMemory = known && killedAfter > killedBefore;
  const detail = [...(SIGNALS[code - 128] ?? []), ...(outOfMemory ? ['out of memory'] : [])].join(', ');
  return workerError(
    'STEP_FAILED',
    `process ${JSON.stringify(args.join(' '))} did not complete successfully: exit code: ${code}${detail === '' ? '' : ` (${detail})`}`,
    { remedy: outOfMemory ? OUT_OF_MEMORY : remedyFor(code, known) },
  );
}

/** Those that end a process which has done nothing for it; other codes above 128 are as often a program's own. */
const SIGNALS: Readonly<Record<number, readonly string[]>> = {
  4: ['SIGILL'],
  6: ['SIGABRT'],
  7: ['SIGBUS'],
  8: ['SIGFPE'],
  9: ['SIGKILL'],
  11: ['SIGSEGV'],
  15: ['SIGTERM'],
  24: ['SIGXCPU'],
  25: ['SIGXFSZ'],
  31: ['SIGSYS'],
};

const OUT_OF_MEMORY =
  'While it ran, memory ran out and the kernel killed a process: let it do less at once, or give it more (--memory, where that was set).';

/** By the exit codes that shells and runtimes give a meaning. */
function remedyFor(code: number, memoryKnown: boolean): string {
  if (code === 126)
    return 'The program is there and cannot be run: look at its mode, and whether it is made for this platform.';
  if (code === 127)
    return 'The program is not in the image: install it in a step before this one, or check its name and PATH.';
  if (code === 137)
    return memoryKnown
      ? 'It was killed, by itself or from outside; this machine was not out of memory.'
      : 'It was killed: unless it did so itself, this machine was out of memory.';
  return 'Its output, above, says why. Mend it and build again: the steps before it are kept.';
}
