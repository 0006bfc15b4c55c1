/** What `executor.suite.ts` looks at: a small root, processes and mounts of this machine. */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Mount } from '../tree/index.ts';
import type { OpenExecutor } from './create-executor.ts';
import type { Process, ProcessIo } from './process.ts';
import { systemRandom } from '../base/index.ts';

export interface ExecutorSetup {
  readonly name: string;
  open(): Promise<OpenExecutor>;
  /** Empty, on a file system that overlay takes an upper folder from. */
  readonly folder: string;
  /** A static busybox. */
  readonly busybox: string;
  readonly ids: 'root' | 'range' | 'single';
  readonly skip?: string | undefined;
}

/** A root of its own for one test: an overlay over a small tree. */
export interface Root {
  readonly mounts: readonly Mount[];
  readonly lower: string;
  readonly upper: string;
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly root: Root;
}

export type Options = Partial<Process> & {
  readonly root?: Root | undefined;
  readonly stdin?: AsyncIterable<Uint8Array> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly stdout?: ((chunk: Uint8Array) => void) | undefined;
  readonly connect?: NonNullable<ProcessIo['connect']> | undefined;
};

/** Opens the executor and runs steps in roots of their own. */
export interface Harness {
  readonly lower: string;
  readonly open: () => Promise<void>;
  readonly close: () => Promise<void>;
  readonly executor: () => OpenExecutor;
  readonly newRoot: (base?: string) => Root;
  readonly run: (args: readonly string[] | string, o?: Options) => Promise<Outcome>;
  /** What a command that succeeds prints. */
  readonly text: (command: string, o?: Options) => Promise<string>;
}

export function harness(setup: ExecutorSetup): Harness {
  const lower = join(setup.folder, 'lower');
  let executor: OpenExecutor;
  let count = 0;
  const newRoot = (base = lower): Root => {
    const folder = join(setup.folder, `root-${count++}`);
    const upper = join(folder, 'upper');
    mkdirSync(upper, { recursive: true });
    mkdirSync(join(folder, 'work'));
    chmodSync(upper, 0o755);
    const options = [`lowerdir=${base}`, `upperdir=${upper}`, `workdir=${join(folder, 'work')}`, 'index=off'];
    if (setup.ids !== 'root') options.push('userxattr');
    return { mounts: [{ type: 'overlay', source: 'overlay', options }], lower: base, upper };
  };
  const run = async (args: readonly string[] | string, o: Options = {}): Promise<Outcome> => {
    const { root = newRoot(), stdin, signal, stdout: see, connect, ...rest } = o;
    const out: Uint8Array[] = [];
    const err: Uint8Array[] = [];
    const process: Process = {
      id: `suite-${count++}`,
      args: typeof args === 'string' ? ['/bin/sh', '-c', args] : args,
      env: ['PATH=/bin'],
      cwd: '/',
      user: { uid: 0, gid: 0, additionalGids: [] },
      hostname: 'buildkitsandbox',
      network: 'host',
      security: 'sandbox',
      extraHosts: [],
      ulimits: [],
      shmSize: 0,
      mounts: [],
      ...rest,
    };
    const io = {
      stdout: see ?? ((c: Uint8Array) => void out.push(c)),
      stderr: (c: Uint8Array) => void err.push(c),
      stdin,
      ...(connect ? { connect } : {}),
    };
    const code = await executor.run(process, { root: root.mounts, io, signal });
    return { code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString(), root };
  };
  const text = async (command: string, o: Options = {}): Promise<string> => {
    const { code, stdout, stderr } = await run(command, o);
    assert.equal(code, 0, stderr);
    return stdout;
  };

  return {
    lower,
    newRoot,
    run,
    text,
    open: async () => {
      makeLower(lower, setup.busybox);
      executor = await setup.open();
    },
    close: async () => executor[Symbol.asyncDispose](),
    executor: () => executor,
  };
}

/** A tree with busybox under its usual names, and some links that lead astray. */
export function makeLower(folder: string, busybox: string): void {
  for (const name of ['bin', 'etc', 'var/lib', 'tmp', 'target', 'root', 'mnt']) {
    mkdirSync(join(folder, name), { recursive: true });
    chmodSync(join(folder, name), name === 'tmp' ? 0o1777 : 0o755);
  }
  chmodSync(folder, 0o755);
  copyFileSync(busybox, join(folder, 'bin/busybox'));
  chmodSync(join(folder, 'bin/busybox'), 0o755);
  const tools =
    'sh cat cp chmod df echo env grep head hostname id ls mkdir mknod mount mv printf pwd rm rmdir setsid sleep stat tail test touch tr true wc';
  for (const name of tools.split(' '))
    if (!hasLink(join(folder, 'bin', name))) symlinkSync('busybox', join(folder, 'bin', name));
  writeFileSync(join(folder, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  chmodSync(join(folder, 'etc/passwd'), 0o644);
  if (!hasLink(join(folder, 'out'))) symlinkSync('/../../target', join(folder, 'out'));
  if (!hasLink(join(folder, 'loop'))) symlinkSync('loop', join(folder, 'loop'));
  for (const name of ['var/lib', 'var', 'etc', '.']) utimesSync(join(folder, name), 1_000_000_000, 1_000_000_000);
  chownSync(folder, 0, 0);
}

function hasLink(path: string): boolean {
  try {
    readlinkSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Everything below a folder, with what a layer would record of it for all but plain new files. */
export function contents(folder: string): string[] {
  const found: string[] = [];
  const walk = (at: string): void => {
    for (const entry of readdirSync(join(folder, at), { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      const path = at === '' ? entry.name : `${at}/${entry.name}`;
      found.push(path);
      if (entry.isDirectory()) walk(path);
    }
  };
  walk('');
  return found;
}

export function capsOf(status: string): Record<string, string> {
  return Object.fromEntries(
    [...status.matchAll(/^(Cap\w+):\s*(\w+)$/gm)].map((match) => [match[1] ?? '', match[2] ?? '']),
  );
}

/** This process's mounts below a folder. */
export function mountPoints(folder: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${folder}/`));
}

/** A time to sleep for that no other process has in its arguments. */
export function seconds(): string {
  return `9${parseInt(systemRandom.hex(4), 16)}`;
}

export function pidsOf(marker: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return (
          (args.includes(marker) && !args.includes('run') && (args[0] ?? '').endsWith('sleep')) ||
          (args[1] === 'sleep' && args[2] === marker)
        );
      } catch {
        return false;
      }
    })
    .map(Number);
}

export async function pidOf(marker: string): Promise<number> {
  for (let i = 0; i < 2_000; i++) {
    const [pid] = pidsOf(marker);
    if (pid !== undefined) return pid;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`no process sleeps ${marker}`);
}

export function ancestors(pid: number): number[] {
  const parent = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  return parent <= 1 || parent === process.pid ? [] : [parent, ...ancestors(parent)];
}
