import { hash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { cancelled, throwIfCancelled, type Wait } from '../base/index.ts';
import { runcOptions, type ContainerdContainers, type ContainerdTasks } from '../wire/containerd/index.ts';
import { fifoStreams, logStreams, type TaskStreams } from './containerd-io.ts';
import { failedStart, type ContainerdRunning } from './containerd-running.ts';
import { loopDevices } from './oci-executor.ts';
import { runtimeSpec, specJson, type SpecOptions } from './spec.ts';
import type { Survive } from './executor.ts';
import type { Process, ProcessIo } from './process.ts';
import type { Performer, Step } from './run-step.ts';
import type { MountPoint, StubRecord, Stubs } from './stubs.ts';
import type { Workspace } from './workspace.ts';
import { refuseLimits } from './refuse-limits.ts';

/** Labels of our containers. */
export const LABELS = {
  /** Of whose state folder they are. */
  state: 'strake.state',
  /** The id of the workspace, and so of the process, that they were started by. */
  workspace: 'strake.workspace',
  /** `Survive.key`: the step, for who finds it again. */
  step: 'strake.step',
  /** `Survive.root`. */
  root: 'strake.root',
} as const;

/** What is on disk about a step that may outlive its process. */
export interface StepRecord {
  /** The mounted root. */
  readonly rootfs: string;
  /** The folder of all that the step has mounted and made. */
  readonly folder: string;
  readonly stubs: StubRecord;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ContainerdDriverOptions {
  readonly containers: ContainerdContainers;
  readonly tasks: ContainerdTasks;
  readonly running: ContainerdRunning;
  readonly workspace: Workspace;
  /** Names the state folder. */
  readonly state: string;
  readonly seccomp: boolean;
  readonly cgroup2: boolean;
  readonly cgroups: boolean;
  readonly hardLimits: ReadonlyMap<string, number>;
  readonly allCapabilities: readonly string[];
}

/** Runs steps as tasks of containerd. Root, mounts and files are this machine's; containerd's shim, not this process, is the parent of what runs. */
export class ContainerdDriver implements Performer {
  readonly points: readonly MountPoint[] = ['/proc', '/dev', '/sys'].map((target) => ({ target, kind: 'folder' }));
  readonly nodev: boolean;
  readonly #o: ContainerdDriverOptions;

  constructor(o: ContainerdDriverOptions) {
    this.#o = o;
    this.nodev = !o.cgroups;
  }

  async perform(
    step: Step,
    o: { readonly io: ProcessIo; readonly stubs: Stubs; readonly survive?: Survive | undefined } & Wait,
  ): Promise<number> {
    const { process } = step;
    const { containers, tasks, workspace, running } = this.#o;
    if (!this.#o.cgroups) refuseLimits(process);
    const id = containerId(workspace.id, process.id);
    const { survive } = o;
    const steps = stepFiles(workspace.folder, id);
    const streams = survive ? logStreams(steps) : fifoStreams(step.folder, process, o.io);
    const { uid, gid } = process.user;
    const options = runcOptions({ ioUid: uid, ioGid: gid });
    const spec = this.#spec(step, process);
    const started = Promise.withResolvers<number | undefined>();
    using _ = running.add(process.id, {
      container: id,
      process,
      pid: started.promise,
    });
    try {
      throwIfCancelled(o);
      await containers.create(id, { spec, labels: this.#labels(survive), options });
      const rootfs = [{ type: 'bind', source: step.rootfs, options: ['rbind', 'rw'] }];
      const [command = ''] = process.args;
      let pid: number;
      try {
        pid = await tasks.create(id, { rootfs, io: streams.task, options });
      } catch (error) {
        return failedStart(error, { command, io: o.io });
      }
      // The shim has read it; what others may read of the container tells no secret from now on.
      if ((process.secretEnv ?? []).length > 0)
        await containers.setSpec(id, this.#spec(step, { ...process, secretEnv: [] }));
      if (survive) this.#note(step, { id, streams, stubs: o.stubs });
      const waited = tasks.wait(id);
      waited.catch(() => undefined);
      throwIfCancelled(o);
      try {
        await tasks.start(id);
      } catch (error) {
        return failedStart(error, { command, io: o.io });
      }
      started.resolve(pid);
      return await finishTask(id, { tasks, streams, waited, io: o.io, signal: o.signal });
    } finally {
      started.resolve(undefined);
      rmSync(steps.record, { force: true });
      streams.close();
      await removeContainer(id, this.#o);
    }
  }

  /** What another process needs to take the step over, written before it begins. */
  #note(step: Step, o: { readonly id: string; readonly streams: TaskStreams; readonly stubs: Stubs }): void {
    const { record, stdout, stderr } = stepFiles(this.#o.workspace.folder, o.id);
    // A bind keeps the file; its name would be what is left of a secret when this process is killed.
    step.process.mounts.forEach((mount, i) => {
      if (mount.type === 'file') rmSync(step.mounts[i]?.spec.source ?? '', { force: true });
    });
    const { rootfs, folder } = step;
    const text: StepRecord = { rootfs, folder, stubs: o.stubs.record(), stdout, stderr };
    writeFileSync(record, JSON.stringify(text), { mode: 0o600 });
  }

  #labels(survive: Survive | undefined): Record<string, string> {
    const { state, workspace } = this.#o;
    return {
      [LABELS.state]: state,
      [LABELS.workspace]: workspace.id,
      ...(survive ? { [LABELS.step]: survive.key, [LABELS.root]: survive.root } : {}),
    };
  }

  #spec(step: Step, process: Process): string {
    const { workspace, cgroups, cgroup2, seccomp, hardLimits, allCapabilities } = this.#o;
    const options: SpecOptions = {
      // The shim's own folder, where it mounts what it is told.
      rootfs: 'rootfs',
      resolvConf: step.resolvConf,
      hosts: step.hosts,
      mounts: step.mounts.map(({ spec }) => spec),
      network: step.network,
      ...(cgroups ? { cgroupsPath: `${workspace.cgroup}/${process.id}` } : {}),
      cgroup2,
      seccomp,
      hardLimits,
      allCapabilities,
      loopDevices: process.security === 'insecure' ? loopDevices() : 0,
    };
    return specJson(runtimeSpec(process, options));
  }
}

/** Follows a task that runs to its end and deletes it. Kills it when the signal fires. */
export async function finishTask(
  id: string,
  o: {
    readonly tasks: ContainerdTasks;
    readonly streams: TaskStreams;
    readonly waited: Promise<number>;
    readonly io: ProcessIo;
  } & Wait,
): Promise<number> {
  const { tasks, streams, signal } = o;
  let fault: unknown;
  const kill = (): void => void tasks.kill(id, constants.signals.SIGKILL).catch(() => undefined);
  const fail = (error: unknown): void => {
    fault ??= error;
    kill();
  };
  streams.opened();
  const onInputEnd = (): void => void tasks.closeInput(id).catch(() => undefined);
  streams.carry(o.io, { fail, onInputEnd, signal });
  signal?.addEventListener('abort', kill, { once: true });
  if (signal?.aborted) kill();
  try {
    const code = await o.waited;
    if (!streams.endsAfterTask) await streams.end();
    await tasks.delete(id);
    if (streams.endsAfterTask) await streams.end();
    if (signal?.aborted) throw cancelled(signal.reason);
    if (fault !== undefined) throw fault;
    return code;
  } finally {
    signal?.removeEventListener('abort', kill);
  }
}

/** Away with a container and its task, whatever state that is in. */
export async function removeContainer(
  id: string,
  o: { readonly containers: ContainerdContainers; readonly tasks: ContainerdTasks } & Wait,
): Promise<void> {
  const { containers, tasks } = o;
  const state = await tasks.get(id, o);
  if (state) {
    if (state.status !== 'stopped') {
      const ended = tasks.wait(id, o);
      ended.catch(() => undefined);
      if (await tasks.kill(id, constants.signals.SIGKILL, o)) await ended;
    }
    await tasks.delete(id, o);
  }
  await containers.delete(id, o);
}

/** Files about a step that may outlive its process, in the workspace's folder. */
export function stepFiles(
  workspace: string,
  id: string,
): { readonly record: string; readonly stdout: string; readonly stderr: string } {
  const folder = join(workspace, 'steps');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return {
    record: join(folder, `${id}.json`),
    stdout: join(folder, `${id}.out`),
    stderr: join(folder, `${id}.err`),
  };
}

/** containerd takes names of 76 characters at most (identifiers.Validate). */
function containerId(workspace: string, process: string): string {
  const id = `strake-${workspace}-${process}`;
  return id.length <= MOST_ID ? id : `strake-${workspace}-${hash('sha256', process).slice(0, 32)}`;
}

const MOST_ID = 76;
