import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeCgroup } from './cgroups.ts';
import { execError } from './errors.ts';
import { enclosed, type Command } from './launch.ts';
import { effectiveCapabilities, hardLimits } from './machine.ts';
import { runtimeSpec, specJson, specProcess, withPrivileges, type SpecOptions } from './spec.ts';
import { StarterPrograms } from './starter-programs.ts';
import { openTerminal } from './terminal.ts';
import { HandedTerminal } from './handed-terminal.ts';
import type { Process, ProcessIo } from './process.ts';
import type { Driver, Step } from './run-step.ts';
import type { Place } from './running.ts';
import type { JoiningProcess } from './running-processes.ts';
import type { MountPoint } from './stubs.ts';
import type { Workspace } from './workspace.ts';
import { refuseLimits } from './refuse-limits.ts';

export interface OciRuntime {
  readonly name: 'runc' | 'crun';
  readonly path: string;
  readonly tools: {
    readonly setpriv: string;
    readonly unshare: string;
    readonly sh: string;
    readonly nsenter: string;
  };
  readonly rootless: 'range' | 'single' | undefined;
  readonly cgroup2: boolean;
  /** Steps get a cgroup, and with it the devices rules. */
  readonly cgroups: boolean;
  readonly seccomp: boolean;
  /** crun only: run it with a tmpfs over /sys/fs/cgroup, which it does not understand (hybrid, in a user namespace). */
  readonly shadowCgroups: boolean;
  /** crun only: the compiled seccomp filter of a step (base64), which spares libseccomp's work on every start. */
  readonly filter?: string | undefined;
}

/** Runs steps by an OCI runtime, in the foreground, with the configuration that BuildKit gives it. */
export class OciDriver implements Driver {
  readonly points: readonly MountPoint[];
  readonly nodev: boolean;
  readonly depth = 2;
  readonly #runtime: OciRuntime;
  readonly #starters: StarterPrograms;
  readonly #workspace: Workspace;
  readonly #limits = hardLimits();
  readonly #capabilities = effectiveCapabilities();

  constructor(runtime: OciRuntime, workspace: Workspace) {
    this.#runtime = runtime;
    this.#workspace = workspace;
    this.nodev = runtime.rootless === undefined && !runtime.cgroups;
    this.#starters = new StarterPrograms([runtime.path]);
    const folders = ['/proc', '/dev', ...(runtime.rootless === undefined ? ['/sys'] : [])];
    this.points = folders.map((target) => ({ target, kind: 'folder' }));
  }

  start(step: Step, undo: (() => void)[]): Command {
    const { process } = step;
    const runtime = this.#runtime;
    if (!runtime.cgroups) refuseLimits(process);
    const options: SpecOptions = {
      rootfs: step.rootfs,
      resolvConf: step.resolvConf,
      hosts: step.hosts,
      mounts: step.mounts.map((mount) => mount.spec),
      network: step.network,
      ...(runtime.cgroups ? { cgroupsPath: this.#cgroup(step) } : {}),
      cgroup2: runtime.cgroup2,
      seccomp: runtime.seccomp,
      hardLimits: this.#limits,
      allCapabilities: this.#capabilities,
      rootless: runtime.rootless,
      loopDevices: process.security === 'insecure' ? loopDevices() : 0,
    };
    const spec = runtimeSpec(process, options);
    // What was compiled is what the sandbox's own capabilities come to.
    const filter = spec.linux.seccomp && process.privileges === undefined ? runtime.filter : undefined;
    const annotated = filter === undefined ? spec : { ...spec, annotations: { [FILTER]: filter } };
    writeFileSync(join(step.folder, 'config.json'), specJson(annotated), { mode: 0o600 });
    const start = enclosed(runtime.tools, ['--mount-proc']);
    if (runtime.shadowCgroups) start.push(runtime.tools.sh, '-c', SHADOW, 'sh');
    const args = ['--root', this.#state, '--log', join(step.folder, LOG), '--log-format', 'json'];
    if (runtime.name === 'crun') args.push(`--cgroup-manager=${runtime.cgroups ? 'cgroupfs' : 'disabled'}`);
    args.push('run', '--bundle', step.folder);
    const terminal = this.#terminal(process, step.folder);
    undo.push(() => terminal.close());
    args.push(...terminal.flags, process.id);
    return { file: start[0]!, args: [...start.slice(1), runtime.path, ...args], env: { PATH }, ...terminal.command };
  }

  isStarting(pid: number): boolean {
    return this.#starters.has(pid);
  }

  /** The runtime's own `exec`, started where the runtime itself is: it knows the process by its number there. */
  join(step: Step, process: JoiningProcess, o: { readonly place: Place; readonly folder: string }): Command {
    const { name, path, tools } = this.#runtime;
    const spec = specProcess(withPrivileges(process, step.process), {
      hardLimits: this.#limits,
      allCapabilities: this.#capabilities,
    });
    const file = join(o.folder, 'process.json');
    writeFileSync(file, specJson(spec), { mode: 0o600 });
    const terminal = this.#terminal(process, o.folder);
    const args = ['--root', this.#state, '--log', join(o.folder, LOG), '--log-format', 'json'];
    if (name === 'crun') args.push(`--cgroup-manager=${this.#runtime.cgroups ? 'cgroupfs' : 'disabled'}`);
    args.push('exec', '--process', file, ...terminal.flags, step.process.id);
    const enter = ['--pdeathsig', 'KILL', tools.nsenter, `--target=${o.place.first}`, '--mount', '--pid'];
    return { file: tools.setpriv, args: [...enter, path, ...args], env: { PATH }, ...terminal.command };
  }

  /** The process's terminal: crun hands its own over; runc, which does that only for a process that it leaves alone, carries between that and ours what is said. */
  #terminal(
    process: Pick<Process, 'terminal'>,
    folder: string,
  ): { readonly flags: readonly string[]; readonly command: Pick<Command, 'terminal' | 'handed'>; close(): void } {
    if (!process.terminal) return { flags: [], command: {}, close: () => undefined };
    if (this.#runtime.name === 'crun') {
      const handed = new HandedTerminal(folder);
      return { flags: ['--console-socket', handed.path], command: { handed }, close: () => handed.close() };
    }
    const terminal = openTerminal(process.terminal, { raw: true });
    return { flags: [], command: { terminal }, close: () => terminal.close() };
  }

  exit(step: Step, o: { code: number; io: ProcessIo }): number {
    if (o.code === 0) return 0;
    const said = this.#complaint(step.folder);
    if (said === undefined) return o.code;
    this.killed(step);
    return this.#failed(said, { process: step.process, io: o.io });
  }

  joinExit(process: JoiningProcess, o: { code: number; folder: string; io: ProcessIo }): number {
    const said = o.code === 0 ? undefined : this.#complaint(o.folder);
    return said === undefined ? o.code : this.#failed(said, { process, io: o.io });
  }

  /** The exit code of a command that could not be run, as shells give it. */
  #failed(said: string, o: { process: Pick<Process, 'args' | 'terminal'>; io: ProcessIo }): number {
    const [command = ''] = o.process.args;
    const code = commandFailure(said);
    if (code !== undefined) {
      // The runtime has said so on the process's stderr, if that is a pipe, mostly with the command's name.
      const unheard = o.process.terminal !== undefined && this.#runtime.name === 'crun';
      if (unheard || !said.includes(command)) void o.io.stderr(Buffer.from(`exec "${command}": ${said}\n`));
      return code;
    }
    throw execError('RUNTIME_FAILED', `start "${command}" by ${this.#runtime.name}: ${said}`);
  }

  killed(step: Step): void {
    rmSync(join(this.#state, step.process.id), { recursive: true, force: true });
    if (this.#runtime.cgroups) removeCgroup(this.#cgroup(step));
  }

  get #state(): string {
    return join(this.#workspace.run, 'state');
  }

  #cgroup(step: Step): string {
    return `${this.#workspace.cgroup}/${step.process.id}`;
  }

  /** What the runtime says went wrong before the process was started: its last error. */
  #complaint(folder: string): string | undefined {
    let said: string | undefined;
    for (const line of readLines(join(folder, LOG))) {
      try {
        const entry = JSON.parse(line) as { msg?: string; level?: string };
        if (entry.msg !== undefined && (entry.level ?? 'error') === 'error') said = entry.msg;
      } catch {
        said = line;
      }
    }
    return said?.trim();
  }
}

const FILTER = 'run.oci.seccomp_bpf_data';
const LOG = 'log.json';
const SHADOW = 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"';
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const NOT_FOUND =
  /executable file (`.*` |)not found|exec: .*no such file or directory|open executable: no such file|exec .*: no such file or directory/i;
const NOT_ALLOWED =
  /exec: .*permission denied|exec .*: permission denied|open executable: permission denied|executable file .*permission denied|exec format error/i;

/** The exit code that shells give a command which a runtime says it could not run; undefined when it says something else. */
export function commandFailure(said: string): number | undefined {
  return NOT_FOUND.test(said) ? 127 : NOT_ALLOWED.test(said) ? 126 : undefined;
}

/** As many as there are, and some to grow. */
export function loopDevices(): number {
  return readdirSync('/dev').filter((name) => /^loop\d+$/.test(name)).length + 8;
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}
