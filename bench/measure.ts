/**
 * Runs commands one after the other and says what they took together. The commands are started by a process of their own (this file as a program), so that the kernel's account of its
 * waited-for children is theirs alone: `getrusage(RUSAGE_CHILDREN)`, getrusage(2).
 */
import { spawn, spawnSync } from 'node:child_process';
import { openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as ffi from 'node:ffi';

export interface Command {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** Seconds, seconds, bytes. `rss`: the highest resident size of the largest single process, commands and daemons alike. */
export interface Sample {
  readonly wall: number;
  readonly cpu: number;
  readonly rss: number;
}

export interface MeasureOptions {
  /** Where the commands' output goes, appended. */
  readonly log: string;
  /** Names (comm) or pids of daemons that do the commands' work: what they use meanwhile is counted in. */
  readonly daemons?: readonly (string | number)[] | undefined;
  readonly signal: AbortSignal;
}

interface Account extends Sample {
  readonly failed?: { readonly argv: readonly string[]; readonly how: string } | undefined;
}

/** Throws with the end of the log when a command fails. */
export async function measure(commands: readonly Command[], o: MeasureOptions): Promise<Sample> {
  o.signal.throwIfAborted();
  spawnSync('sync');
  const daemons = daemonsNamed(o.daemons ?? []);
  for (const pid of daemons) resetPeak(pid);
  const before = sum(daemons.map(cpuOf));
  const account = await accountOf(commands, o);
  if (account.failed)
    throw new Error(`"${account.failed.argv.join(' ')}" ${account.failed.how}:\n${tail(readFileSync(o.log, 'utf8'))}`);
  return {
    wall: account.wall,
    cpu: account.cpu + sum(daemons.map(cpuOf)) - before,
    rss: Math.max(account.rss, ...daemons.map(peakOf)),
  };
}

function accountOf(commands: readonly Command[], o: MeasureOptions): Promise<Account> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', import.meta.filename, o.log], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stdin.end(JSON.stringify(commands));
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', () => {
      if (o.signal.aborted) return reject(o.signal.reason as Error);
      try {
        resolve(JSON.parse(Buffer.concat(chunks).toString()) as Account);
      } catch {
        reject(new Error('the measuring process ended without an account'));
      }
    });
  });
}

/** The measuring process: commands on standard input, the account on standard output. */
function main(log: string): void {
  const commands = JSON.parse(readFileSync(0, 'utf8')) as readonly Command[];
  const { DynamicLibrary } = createRequire(import.meta.url)('node:ffi') as typeof ffi;
  const getrusage = new DynamicLibrary('libc.so.6').getFunction('getrusage', {
    return: 'int32',
    arguments: ['int32', 'pointer'],
  });
  const output = openSync(log, 'a');
  const started = process.hrtime.bigint();
  let failed: Account['failed'];
  for (const { argv, env } of commands) {
    const [program = '', ...args] = argv;
    const { status, signal, error } = spawnSync(program, args, {
      stdio: ['ignore', output, output],
      env: { ...process.env, ...env },
    });
    if (status === 0) continue;
    failed = { argv, how: error ? error.message : `ended with ${signal ?? `code ${status}`}` };
    break;
  }
  const wall = Number(process.hrtime.bigint() - started) / 1e9;
  const usage = Buffer.alloc(144); // struct rusage: two timevals, then longs, the first of them ru_maxrss in KiB
  getrusage(-1, usage);
  const seconds = (at: number): number => Number(usage.readBigInt64LE(at)) + Number(usage.readBigInt64LE(at + 8)) / 1e6;
  const account: Account = {
    wall,
    cpu: seconds(0) + seconds(16),
    rss: Number(usage.readBigInt64LE(32)) * 1024,
    failed,
  };
  process.stdout.write(JSON.stringify(account));
}

function daemonsNamed(names: readonly (string | number)[]): string[] {
  if (names.length === 0) return [];
  return readdirSync('/proc').filter(
    (pid) => /^\d+$/.test(pid) && (names.includes(Number(pid)) || names.includes(proc(pid, 'comm').trim())),
  );
}

/** User and system time of a process and of its waited-for children, proc_pid_stat(5): fields 14 to 17, in ticks of 1/100 s. */
function cpuOf(pid: string): number {
  const stat = proc(pid, 'stat');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return sum(fields.slice(11, 15).map(Number)) / 100;
}

function peakOf(pid: string): number {
  return Number(/^VmHWM:\s+(\d+)/m.exec(proc(pid, 'status'))?.[1] ?? 0) * 1024;
}

/** proc_pid_clear_refs(5): 5 sets the peak back to what is resident now. Only its owner may; else the peak since its start stands. */
function resetPeak(pid: string): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {}
}

function proc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function tail(text: string): string {
  return text.split('\n').slice(-25).join('\n');
}

if (import.meta.main) main(process.argv[2] ?? '/dev/null');
