import { hash } from 'node:crypto';
import { join } from 'node:path';
import type { Clock, Random, Wait } from '../base/index.ts';
import { Containerd, ContainerdContainers, ContainerdTasks } from '../wire/containerd/index.ts';
import { ContainerdDriver } from './containerd-driver.ts';
import { ContainerdRunning } from './containerd-running.ts';
import { ContainerdSurvivors } from './containerd-survivors.ts';
import { networkThatWorks, type OpenExecutor } from './create-executor.ts';
import { execError } from './errors.ts';
import { lookInto } from './look.ts';
import { cgroupMode, effectiveCapabilities, hardLimits, seccompSupported } from './machine.ts';
import { openNetwork } from './open-network.ts';
import { publisherHere } from './published-network.ts';
import { runStep, type StepRunner } from './run-step.ts';
import { openWorkspace } from './workspace.ts';
import type { ExecutorReport } from './executor.ts';

export interface ContainerdExecutorOptions {
  readonly address: string;
  readonly namespace: string;
  /** A folder for what is kept while steps run; containerd must see it at the same path. */
  readonly stateFolder: string;
  /** No network for steps before one needs it. */
  readonly lateNetwork?: boolean | undefined;
  readonly random: Random;
  readonly clock: Clock;
}

/** An executor whose processes are tasks of containerd, and may outlive this one. */
export interface ContainerdExecutor extends OpenExecutor {
  readonly survivors: ContainerdSurvivors;
  /** Names this process among those that use the state folder. */
  readonly owner: string;
  /** Names the state folder. */
  readonly state: string;
}

/** Names a folder in labels. */
export function stateName(folder: string): string {
  return hash('sha256', folder).slice(0, 32);
}

/**
 * Runs steps as tasks of a containerd on this machine. This process must be root, in the mount namespace that containerd is in: it mounts roots there. Throws `EXECUTOR_UNAVAILABLE`, and what the connection throws.
 */
export async function createContainerdExecutor(o: ContainerdExecutorOptions & Wait): Promise<ContainerdExecutor> {
  await using undo = new AsyncDisposableStack();
  const containerd = undo.use(new Containerd(o));
  const { version } = await containerd.version(o);
  const runtimes = await containerd.plugins('type==io.containerd.runtime.v2', o);
  if (!runtimes.some(({ works }) => works))
    throw execError('EXECUTOR_UNAVAILABLE', `run steps by containerd ${version}: its task service does not work`);
  const containers = new ContainerdContainers(containerd);
  const tasks = new ContainerdTasks(containerd);
  const state = stateName(o.stateFolder);
  const survivors = undo.use(new ContainerdSurvivors({ ...o, containers, tasks, state }));
  await survivors.recover(o);
  const workspace = undo.use(openWorkspace(o.stateFolder, o.random, { shared: true }));
  const context = { ...o, workspace };
  const network = undo.use(openNetwork(await networkThatWorks(context), { ...context, late: o.lateNetwork }));
  const mode = cgroupMode();
  const limits = { hardLimits: hardLimits(), allCapabilities: effectiveCapabilities() };
  const running = new ContainerdRunning(tasks, { ...limits, run: workspace.run });
  const driver = new ContainerdDriver({
    ...limits,
    containers,
    tasks,
    running,
    workspace,
    state,
    seccomp: seccompSupported(),
    cgroup2: mode === 'unified',
    cgroups: mode !== 'none',
  });
  const report: ExecutorReport = {
    name: 'containerd',
    version: `containerd ${version}`,
    seccomp: seccompSupported(),
    devicesCgroup: mode !== 'none',
    capabilities: true,
    ids: 'root',
    network: network.kind,
    networks: ['default', 'none', 'host'],
    publishes: publisherHere({ network: network.kind, rootless: undefined }),
    lacks: [
      ...(mode === 'none'
        ? ['Steps have no cgroup: no rules for devices, no limits, no account of what they use.']
        : []),
      ...(seccompSupported() ? [] : ['The kernel has no seccomp: all system calls are open to steps.']),
      "A secret that a step has as a variable passes through containerd's own database, which root alone can read, until the step has started.",
    ],
  };
  const runner: StepRunner = { workspace, network, rootless: undefined, driver };
  const open = undo.move();
  return {
    report,
    running,
    survivors,
    owner: workspace.id,
    state,
    run: (process, options) => {
      const survives =
        process.terminal === undefined &&
        options.io.stdin === undefined &&
        !process.mounts.some(({ type }) => type === 'socket');
      return runStep(runner, process, { ...options, survive: survives ? options.survive : undefined });
    },
    look: async (at, question, w = {}) =>
      lookInto(at, question, { ...w, folder: join(workspace.run, `look-${o.random.hex(8)}`), rootless: false }),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
