import { hash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { findTool, hasErrno, runTool, sys, type Wait } from '../base/index.ts';
import { BUILTIN_PROGRAMS, BuiltinDriver } from './builtin-executor.ts';
import { STEP_CAPABILITIES } from './capabilities.ts';
import { execError } from './errors.ts';
import { cgroupMode, seccompSupported } from './machine.ts';
import { hostNetwork } from './open-network.ts';
import type { Network } from './network.ts';
import { OciDriver } from './oci-executor.ts';
import { publisherHere } from './published-network.ts';
import { runStep, type Driver } from './run-step.ts';
import { defaultSeccomp } from './seccomp.ts';
import { makeToolRoot, toolPath } from './tool-root.ts';
import type { Mount } from '../tree/index.ts';
import type { ExecutorReport } from './executor.ts';
import type { Process } from './process.ts';
import type { Workspace } from './workspace.ts';

/** What a probe found out about a way of running steps; kept between runs. */
export interface Found {
  readonly path: string;
  readonly version: string;
  readonly cgroups: boolean;
  /** crun's compiled seccomp filter for steps. */
  readonly filter?: string | undefined;
}

export interface CandidateContext extends Wait {
  readonly rootless?: 'range' | 'single' | undefined;
  readonly workspace: Workspace;
}

/** A way of running steps that may work here. */
export interface Candidate {
  readonly name: 'crun' | 'runc' | 'builtin';
  /** The program it stands on, if it is installed. */
  program(): string | undefined;
  /** Changes when a probe's outcome is worth nothing any more. */
  stamp(): string;
  /** Starts something for real; throws when that fails. */
  probe(program: string, c: CandidateContext): Promise<Found>;
  driver(found: Found, c: CandidateContext): Promise<Driver>;
  report(
    found: Found,
    o: { readonly rootless: 'range' | 'single' | undefined; readonly network: Network },
  ): ExecutorReport;
}

/** The quickest first. */
export const candidates: readonly Candidate[] = [ociCandidate('crun'), ociCandidate('runc'), builtinCandidate()];

function ociCandidate(name: 'crun' | 'runc'): Candidate {
  const driver = async (found: Found, c: CandidateContext): Promise<Driver> => {
    const mode = cgroupMode();
    const confused = name === 'crun' && mode === 'hybrid';
    if (confused && c.rootless === undefined) hideUnified();
    return new OciDriver(
      {
        name,
        path: found.path,
        tools: {
          setpriv: toolPath('setpriv'),
          unshare: toolPath('unshare'),
          sh: toolPath('sh'),
          nsenter: toolPath('nsenter'),
        },
        rootless: c.rootless,
        cgroup2: mode === 'unified',
        cgroups: found.cgroups,
        seccomp: seccompSupported(),
        shadowCgroups: confused && c.rootless !== undefined,
        filter: found.filter,
      },
      c.workspace,
    );
  };
  return {
    name,
    program: () => findTool(name),
    stamp: () =>
      `${cgroupVersions()} ${hash('sha256', JSON.stringify(defaultSeccomp({ capabilities: STEP_CAPABILITIES })))}`,
    probe: async (path, c) => {
      const version = await versionOf(path, c);
      const tryWith = async (cgroups: boolean): Promise<Found> => {
        const found: Found = { path, version, cgroups };
        const state = join(c.workspace.run, 'state', PROBE, 'seccomp.bpf');
        let filter: Buffer | undefined;
        await tryOut(await driver(found, c), c, () => {
          if (name === 'crun') filter = readIfThere(state);
        });
        return { ...found, filter: filter?.toString('base64') };
      };
      if (c.rootless !== undefined) return tryWith(false);
      if (name === 'runc') return tryWith(true);
      try {
        return await tryWith(cgroupMode() !== 'none');
      } catch (error) {
        if (c.signal?.aborted || cgroupMode() === 'none') throw error;
        return tryWith(false);
      }
    },
    driver,
    report: (found, { rootless, network }) => ({
      ...common(found, { rootless, network }),
      name,
      seccomp: seccompSupported(),
      devicesCgroup: found.cgroups,
      lacks: [
        ...(found.cgroups
          ? []
          : ['Steps have no cgroup: no rules for devices, no limits, no account of what they use.']),
        ...(seccompSupported() ? [] : ['The kernel has no seccomp: all system calls are open to steps.']),
        ...rootlessLacks(rootless),
      ],
    }),
  };
}

function builtinCandidate(): Candidate {
  const driver = async (_: Found, c: CandidateContext): Promise<Driver> => {
    const root = join(c.workspace.run, 'tools');
    mkdirSync(root, { recursive: true });
    await makeToolRoot(root, { tools: BUILTIN_PROGRAMS, signal: c.signal });
    const names = ['setpriv', 'unshare', 'sh', 'nsenter', 'prlimit', 'setsid'];
    const [setpriv, unshare, sh, nsenter, prlimit, setsid] = names.map(toolPath);
    toolPath('mount');
    toolPath('pivot_root');
    return new BuiltinDriver(
      {
        setpriv: setpriv!,
        unshare: unshare!,
        sh: sh!,
        nsenter: nsenter!,
        prlimit: prlimit!,
        setsid: setsid!,
        ip: findTool('ip'),
        root,
      },
      c.rootless,
    );
  };
  return {
    name: 'builtin',
    program: () => findTool('unshare'),
    stamp: () => '',
    probe: async (path, c) => {
      const found: Found = { path, version: await versionOf(path, c), cgroups: false };
      await tryOut(await driver(found, c), c, () => undefined);
      return found;
    },
    driver,
    report: (found, { rootless, network }) => ({
      ...common(found, { rootless, network }),
      name: 'builtin',
      seccomp: false,
      devicesCgroup: false,
      lacks: [
        'Steps have no seccomp filter: system calls that Docker closes are open to them.',
        'Steps have no cgroup: devices are closed by mount options alone.',
        ...(findTool('ip') === undefined ? ['Without "ip", a step without network has no loopback either.'] : []),
        ...rootlessLacks(rootless),
      ],
    }),
  };
}

function common(
  found: Found,
  o: { readonly rootless: 'range' | 'single' | undefined; readonly network: Network },
): Pick<ExecutorReport, 'version' | 'capabilities' | 'ids' | 'network' | 'networks' | 'publishes'> {
  return {
    version: found.version,
    capabilities: true,
    ids: o.rootless ?? 'root',
    network: o.network.kind,
    networks: ['default', 'none', 'host'],
    publishes: publisherHere({ network: o.network.kind, rootless: o.rootless }),
  };
}

function rootlessLacks(rootless: 'range' | 'single' | undefined): string[] {
  if (rootless === undefined) return [];
  return [
    'Steps see no /sys.',
    ...(rootless === 'single' ? ['There is one id only: steps as another user, and changes of owner, fail.'] : []),
  ];
}

const PROBE = 'probe';

/** Runs `cat` in a root made of the machine's own programs, and calls `during` while it runs. */
async function tryOut(driver: Driver, c: CandidateContext, during: () => void): Promise<void> {
  const process: Process = {
    id: PROBE,
    args: ['cat'],
    env: ['PATH=/usr/bin:/bin'],
    cwd: '/',
    user: { uid: 0, gid: 0, additionalGids: [] },
    hostname: PROBE,
    network: 'host',
    security: 'sandbox',
    extraHosts: [],
    ulimits: [],
    shmSize: 0,
    mounts: [],
  };
  const answered = Promise.withResolvers<void>();
  let said = '';
  const io = {
    stdout: () => {
      during();
      answered.resolve();
    },
    stderr: (chunk: Uint8Array) => void (said += Buffer.from(chunk).toString()),
    stdin: question(answered.promise),
  };
  const runner = { workspace: c.workspace, network: hostNetwork, rootless: c.rootless, driver };
  try {
    const code = await runStep(runner, process, { root: probeRoot(c.workspace), io, signal: c.signal });
    if (code !== 0) throw execError('EXECUTOR_UNAVAILABLE', `start a step: exit code ${code}: ${said.trim()}`);
  } finally {
    answered.resolve();
  }
}

async function* question(answered: Promise<void>): AsyncIterable<Uint8Array> {
  yield Buffer.from('?');
  await answered;
}

/** An empty root with the machine's programs and libraries, read-only. */
function probeRoot(workspace: Workspace): Mount[] {
  const base = join(workspace.run, 'probe-root');
  const mounts: Mount[] = [{ type: 'bind', source: base, options: ['bind'] }];
  mkdirSync(base, { recursive: true });
  for (const name of ['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']) {
    try {
      if (lstatSync(`/${name}`).isSymbolicLink()) symlinkSync(readlinkSync(`/${name}`), join(base, name));
      else {
        mkdirSync(join(base, name));
        mounts.push({ type: 'bind', source: `/${name}`, target: `/${name}`, options: ['bind', 'ro'] });
      }
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) continue;
      if (!hasErrno(error, 'EEXIST')) throw error;
      if (!lstatSync(join(base, name)).isSymbolicLink())
        mounts.push({ type: 'bind', source: `/${name}`, target: `/${name}`, options: ['bind', 'ro'] });
    }
  }
  return mounts;
}

async function versionOf(path: string, w: Wait): Promise<string> {
  const said = (await runTool(path, ['--version'], { signal: w.signal })).stdout.toString().split('\n')[0] ?? '';
  return said.replace(/^(\w+) version (\S+).*$/, '$1 $2').replace(/^.* from (util-linux \S+).*$/, '$1');
}

/** In this process's own mount namespace: crun refuses a machine that has both versions of cgroups mounted, and would write into what lies below if the mount were only taken away. */
function hideUnified(): void {
  sys.mount('strake', '/sys/fs/cgroup/unified', { type: 'tmpfs', flags: sys.MS.NOSUID | sys.MS.NODEV | sys.MS.NOEXEC });
}

/** The same before and after `hideUnified`. */
function cgroupVersions(): string {
  return { unified: '2', hybrid: '1', legacy: '1', none: 'none' }[cgroupMode()];
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
