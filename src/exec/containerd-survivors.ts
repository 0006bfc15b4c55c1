import { closeSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { throwIfCancelled, type Clock, type Wait } from '../base/index.ts';
import type { ContainerdContainers, ContainerdTasks, ContainerInfo } from '../wire/containerd/index.ts';
import { recoverCni } from './cni.ts';
import { logStreams } from './containerd-io.ts';
import { finishTask, LABELS, removeContainer, stepFiles, type StepRecord } from './containerd-driver.ts';
import type { Survivor, Survivors } from './executor.ts';
import type { ProcessIo } from './process.ts';
import { restoreStubs } from './stubs.ts';
import {
  recoverWorkspaces,
  removeWorkspace,
  takeWorkspace,
  unmountBelow,
  workspaceInUse,
  workspacesIn,
} from './workspace.ts';

export interface SurvivorOptions {
  readonly containers: ContainerdContainers;
  readonly tasks: ContainerdTasks;
  readonly stateFolder: string;
  /** Names the state folder. */
  readonly state: string;
  readonly clock: Clock;
}

/** How long a step that has ended waits for somebody to want its result. */
const KEPT_MS = 3_600_000;

/** Steps of processes that are gone: found by the labels of their containers, and by the lock that the kernel has let go of. */
export class ContainerdSurvivors implements Survivors, Disposable {
  readonly #o: SurvivorOptions;
  /** Locks of workspaces that were taken over. */
  readonly #taken = new Map<string, number>();

  constructor(o: SurvivorOptions) {
    this.#o = o;
  }

  async claim(key: string, w: Wait = {}): Promise<Survivor | undefined> {
    for (const container of await this.#o.containers.list(`labels."${LABELS.step}"=="${key}"`, w)) {
      const { labels, id } = container;
      const workspace = labels[LABELS.workspace];
      const root = labels[LABELS.root];
      if (labels[LABELS.state] !== this.#o.state || workspace === undefined || root === undefined) continue;
      if (!this.#take(workspace) || this.#claimed.has(id)) continue;
      const found = await this.#stepOf(container, w);
      if (!found) continue;
      this.#claimed.add(id);
      return {
        root,
        owner: workspace,
        finish: (o) => this.#finish(id, { ...o, ...found }),
        [Symbol.asyncDispose]: () => this.#giveUp(id, found.record),
      };
    }
    return undefined;
  }

  /**
   * Takes away what processes that are gone left: containers, tasks, mounts, folders. Spared is what may still be claimed: a step that runs, or has ended within the hour; with `all` nothing is. Gives how many workspaces that were.
   */
  async recover(o: { readonly all?: boolean | undefined } & Wait = {}): Promise<number> {
    const { containers, stateFolder, state } = this.#o;
    const spared = new Set<string>();
    for (const container of await containers.list(`labels."${LABELS.state}"=="${state}"`, o)) {
      const workspace = container.labels[LABELS.workspace] ?? '';
      if (workspaceInUse(stateFolder, workspace)) continue;
      if (o.all !== true && (await this.#isWanted(container, o))) spared.add(workspace);
      else await removeContainer(container.id, { ...this.#o, signal: o.signal });
    }
    return recoverWorkspaces(stateFolder, recoverCni, spared).length;
  }

  /** True for a workspace that is there: of a process that lives, or with steps that may be claimed. */
  exists(workspace: string): boolean {
    return workspacesIn(this.#o.stateFolder).has(workspace);
  }

  [Symbol.dispose](): void {
    for (const fd of this.#taken.values()) closeSync(fd);
    this.#taken.clear();
  }

  readonly #claimed = new Set<string>();

  #take(workspace: string): boolean {
    if (this.#taken.has(workspace)) return true;
    const fd = takeWorkspace(this.#o.stateFolder, workspace);
    if (fd === undefined) return false;
    this.#taken.set(workspace, fd);
    return true;
  }

  async #stepOf(
    container: ContainerInfo,
    w: Wait,
  ): Promise<{ readonly record: StepRecord; readonly exitedAt: number | undefined } | undefined> {
    const folder = workspacesIn(this.#o.stateFolder).get(container.labels[LABELS.workspace] ?? '');
    if (folder === undefined) return undefined;
    const file = stepFiles(folder, container.id).record;
    if (!existsSync(file)) return undefined;
    const record = JSON.parse(readFileSync(file, 'utf8')) as StepRecord;
    const state = await this.#o.tasks.get(container.id, w);
    if (!state || (state.status !== 'running' && state.status !== 'stopped') || !existsSync(record.rootfs))
      return undefined;
    return { record, exitedAt: state.status === 'stopped' ? state.exitedAt : undefined };
  }

  async #isWanted(container: ContainerInfo, w: Wait): Promise<boolean> {
    if (container.labels[LABELS.step] === undefined) return false;
    const found = await this.#stepOf(container, w);
    if (!found) return false;
    return found.exitedAt === undefined || this.#o.clock.now() - found.exitedAt < KEPT_MS;
  }

  async #finish(id: string, o: { readonly io: ProcessIo; readonly record: StepRecord } & Wait): Promise<number> {
    throwIfCancelled(o);
    const { tasks } = this.#o;
    const { record } = o;
    const streams = logStreams(record);
    const waited = tasks.wait(id);
    waited.catch(() => undefined);
    const code = await finishTask(id, { tasks, streams, waited, io: o.io, signal: o.signal });
    const stubs = restoreStubs(record.stubs);
    stubs.remove();
    unmountBelow(record.folder);
    stubs.settle();
    return code;
  }

  async #giveUp(id: string, record: StepRecord): Promise<void> {
    await removeContainer(id, this.#o);
    unmountBelow(record.folder);
    rmSync(record.folder, { recursive: true, force: true });
    const [workspace, folder] =
      [...workspacesIn(this.#o.stateFolder)].find(([, path]) => record.stdout.startsWith(`${path}/`)) ?? [];
    if (workspace === undefined || folder === undefined) return;
    for (const file of Object.values(stepFiles(folder, id))) rmSync(file, { force: true });
    const left = await this.#o.containers.list(
      `labels."${LABELS.workspace}"=="${workspace}",labels."${LABELS.state}"=="${this.#o.state}"`,
    );
    if (left.length > 0) return;
    recoverCni(folder);
    const fd = this.#taken.get(workspace);
    this.#taken.delete(workspace);
    removeWorkspace(this.#o.stateFolder, workspace);
    if (fd !== undefined) closeSync(fd);
  }
}
