import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemRandom } from '../../src/base/index.ts';
import { STEP_CAPABILITIES } from '../../src/exec/capabilities.ts';
import { defaultSeccomp } from '../../src/exec/seccomp.ts';

/** A container as Docker and Kubernetes start them by default: its capabilities, its system call filter, nothing more. Its root file system can be written to, and nothing but what every container has is mounted. */
export interface PlainContainer {
  readonly rootfs: string;
  /** Folders of this machine to bind, by their places in it. */
  readonly binds?: Readonly<Record<string, string>> | undefined;
  readonly runtime?: 'crun' | 'runc' | undefined;
  /** Who its command is; root by default. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  /** "none" is a pod's `drop: [ALL]` without privilege escalation. */
  readonly capabilities?: 'none' | undefined;
  /** Groups, besides its own, that the command is in: a pod's `fsGroup`. */
  readonly groups?: readonly number[] | undefined;
  /** It has a terminal of its own, and its command line is run on one. */
  readonly terminal?: boolean | undefined;
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

type Options = PlainContainer & { readonly env?: readonly string[] | undefined; readonly cwd?: string | undefined };

/** The command line that runs a command in a container that shares this machine's network; good until the end of the scope. */
export function plainContainer(
  args: readonly string[],
  o: Options,
): { readonly command: readonly string[] } & Disposable {
  const bundle = mkdtempSync(join(tmpdir(), 'strake-plain-'));
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config(args, o)));
  mkdirSync(join(bundle, 'state'));
  const id = `strake-plain-${systemRandom.hex(6)}`;
  return {
    command: [o.runtime ?? 'crun', '--root', join(bundle, 'state'), 'run', '--bundle', bundle, id],
    [Symbol.dispose]: () => rmSync(bundle, { recursive: true, force: true }),
  };
}

/** Runs a command to its end in a container that shares this machine's network. */
export async function inContainer(args: readonly string[], o: Options): Promise<Ran> {
  using container = plainContainer(args, o);
  const [program = '', ...rest] = container.command;
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ code: code ?? 137, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
    );
  });
}

function config(args: readonly string[], o: Options): unknown {
  const capabilities = o.capabilities === 'none' ? [] : [...STEP_CAPABILITIES];
  const { uid, gid } = o.user ?? { uid: 0, gid: 0 };
  const quiet = ['nosuid', 'noexec', 'nodev'];
  return {
    ociVersion: '1.0.2',
    root: { path: o.rootfs, readonly: false },
    hostname: 'pod',
    process: {
      terminal: o.terminal === true,
      user: { uid, gid, ...(o.groups && { additionalGids: o.groups }) },
      args,
      env: o.env ?? [],
      cwd: o.cwd ?? '/',
      // As runtimes do: only root has them from the start.
      capabilities: {
        bounding: capabilities,
        effective: uid === 0 ? capabilities : [],
        permitted: uid === 0 ? capabilities : [],
      },
      noNewPrivileges: o.capabilities === 'none',
    },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755'] },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666'],
      },
      { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: [...quiet, 'mode=1777', 'size=65536k'] },
      { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: quiet },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...quiet, 'ro'] },
      ...Object.entries({ '/etc/resolv.conf': '/etc/resolv.conf', '/etc/hosts': '/etc/hosts', ...o.binds }).map(
        ([destination, source]) => ({ destination, type: 'bind', source, options: ['rbind', 'rw'] }),
      ),
    ],
    linux: {
      namespaces: ['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
      resources: { devices: [{ allow: false, access: 'rwm' }] },
      seccomp: defaultSeccomp({ capabilities }),
      maskedPaths: ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/scsi', '/sys/firmware'],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  };
}
