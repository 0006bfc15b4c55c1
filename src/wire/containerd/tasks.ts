import { hasCode, sleep, type MountSpec, type Wait } from '../../base/index.ts';
import { Status } from '../gen/containerd/task-types_pb.ts';
import { Tasks } from '../gen/containerd/tasks_pb.ts';
import { timestampMs } from '../grpc/index.ts';
import type { Containerd } from './client.ts';
import type { AnyMessage } from './containers.ts';
import { wireMounts } from './diffs.ts';

/** Paths of FIFOs, or URIs that containerd's shim knows (`file:///path`); absent is nothing. */
export interface TaskIo {
  readonly stdin?: string | undefined;
  readonly stdout?: string | undefined;
  readonly stderr?: string | undefined;
  readonly terminal: boolean;
}

export interface TaskState {
  readonly status: 'created' | 'running' | 'stopped' | 'paused' | 'unknown';
  readonly pid: number;
  readonly exitStatus: number;
  /** Milliseconds since the epoch. */
  readonly exitedAt: number;
}

/** How long containerd may be away, for instance to be started anew, before a wait for a task gives up. */
const PATIENCE_MS = 60_000;
const RETRY_MS = 200;

/** The processes of containers. `exec` names one beside the container's own. */
export class ContainerdTasks {
  readonly #containerd: Containerd;

  constructor(containerd: Containerd) {
    this.#containerd = containerd;
  }

  /** Makes the process ready, its mounts made; gives its number. */
  async create(
    id: string,
    o: { rootfs: readonly MountSpec[]; io: TaskIo; options: AnyMessage } & Wait,
  ): Promise<number> {
    const { stdin = '', stdout = '', stderr = '', terminal } = o.io;
    const { pid } = await this.#containerd.call(Tasks, `get the task of container "${id}" ready in containerd`, {
      ...o,
      use: (client, options) =>
        client.create(
          {
            containerId: id,
            rootfs: wireMounts(o.rootfs),
            stdin,
            stdout,
            stderr,
            terminal,
            options: o.options,
          },
          options,
        ),
    });
    return pid;
  }

  async start(id: string, o: { exec?: string | undefined } & Wait = {}): Promise<number> {
    const { pid } = await this.#containerd.call(Tasks, `start the task of container "${id}" in containerd`, {
      ...o,
      use: (client, options) => client.start({ containerId: id, execId: o.exec ?? '' }, options),
    });
    return pid;
  }

  /** Gets a process ready beside the container's own; `spec` by `processSpec`. */
  async exec(id: string, o: { exec: string; spec: AnyMessage; io: TaskIo } & Wait): Promise<void> {
    const { stdin = '', stdout = '', stderr = '', terminal } = o.io;
    await this.#containerd.call(Tasks, `get a process ready in container "${id}" of containerd`, {
      ...o,
      use: (client, options) =>
        client.exec({ containerId: id, execId: o.exec, spec: o.spec, stdin, stdout, stderr, terminal }, options),
    });
  }

  /** The exit status, once there is one. Ask before it is started. A containerd that goes away is waited for, a minute at most: its tasks run on meanwhile. */
  async wait(id: string, o: { exec?: string | undefined } & Wait = {}): Promise<number> {
    for (let away = 0; ;) {
      try {
        const { exitStatus } = await this.#containerd.call(Tasks, `wait for the task of container "${id}"`, {
          ...o,
          use: (client, options) => client.wait({ containerId: id, execId: o.exec ?? '' }, options),
        });
        return exitStatus;
      } catch (error) {
        if (!hasCode(error, 'CONTAINERD_UNAVAILABLE') || away >= PATIENCE_MS) throw error;
        await sleep(RETRY_MS, o);
        away += RETRY_MS;
      }
    }
  }

  /** False when it does not run. */
  async kill(
    id: string,
    signal: number,
    o: { exec?: string | undefined; all?: boolean } & Wait = {},
  ): Promise<boolean> {
    try {
      await this.#containerd.call(Tasks, `send signal ${signal} to container "${id}" of containerd`, {
        ...o,
        use: (client, options) =>
          client.kill({ containerId: id, execId: o.exec ?? '', signal, all: o.all ?? false }, options),
      });
      return true;
    } catch (error) {
      if (hasCode(error, 'GRPC_NOT_FOUND')) return false;
      throw error;
    }
  }

  /** Takes it away once it has ended, all of its output written. Nothing happens when there is none. */
  async delete(id: string, o: { exec?: string | undefined } & Wait = {}): Promise<void> {
    const { exec } = o;
    try {
      await this.#containerd.call(Tasks, `take away the task of container "${id}" of containerd`, {
        ...o,
        use: (client, options) =>
          exec === undefined
            ? client.delete({ containerId: id }, options)
            : client.deleteProcess({ containerId: id, execId: exec }, options),
      });
    } catch (error) {
      if (!hasCode(error, 'GRPC_NOT_FOUND')) throw error;
    }
  }

  /** Says that nothing more comes by stdin. */
  async closeInput(id: string, o: { exec?: string | undefined } & Wait = {}): Promise<void> {
    await this.#containerd.call(Tasks, `close the input of container "${id}" of containerd`, {
      ...o,
      use: (client, options) => client.closeIO({ containerId: id, execId: o.exec ?? '', stdin: true }, options),
    });
  }

  async resize(
    id: string,
    size: { readonly columns: number; readonly rows: number },
    o: { exec?: string | undefined } & Wait = {},
  ): Promise<void> {
    const { columns: width, rows: height } = size;
    await this.#containerd.call(Tasks, `resize the terminal of container "${id}" of containerd`, {
      ...o,
      use: (client, options) => client.resizePty({ containerId: id, execId: o.exec ?? '', width, height }, options),
    });
  }

  /** Undefined when there is none. */
  async get(id: string, w: Wait = {}): Promise<TaskState | undefined> {
    try {
      const { process } = await this.#containerd.call(Tasks, `look for the task of container "${id}"`, {
        ...w,
        use: (client, o) => client.get({ containerId: id }, o),
      });
      if (!process) return undefined;
      const { status, pid, exitStatus, exitedAt } = process;
      return {
        status: STATES[status] ?? 'unknown',
        pid,
        exitStatus,
        exitedAt: exitedAt ? timestampMs(exitedAt) : 0,
      };
    } catch (error) {
      if (hasCode(error, 'GRPC_NOT_FOUND')) return undefined;
      throw error;
    }
  }
}

const STATES: Readonly<Record<number, TaskState['status']>> = {
  [Status.CREATED]: 'created',
  [Status.RUNNING]: 'running',
  [Status.STOPPED]: 'stopped',
  [Status.PAUSED]: 'paused',
  [Status.PAUSING]: 'paused',
};
