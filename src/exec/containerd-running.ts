import { constants } from 'node:os';
import { rmSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { cancelled, messageOf, throwIfCancelled, type Wait } from '../base/index.ts';
import { processSpec, type ContainerdTasks } from '../wire/containerd/index.ts';
import { fifoStreams } from './containerd-io.ts';
import { execError } from './errors.ts';
import { insidesOf } from './insides.ts';
import { commandFailure } from './oci-executor.ts';
import { hasHandler, listeningIn } from './running.ts';
import type { JoiningProcess, ListeningPort, RunningInsides, RunningProcesses } from './running-processes.ts';
import { specJson, specProcess, withPrivileges, type SpecOptions } from './spec.ts';
import { StarterPrograms } from './starter-programs.ts';
import type { Process, ProcessIo, TerminalSize } from './process.ts';

/** A container whose task is being started, or runs. */
interface Entry {
  readonly container: string;
  readonly process: Process;
  /** Of the process itself, once it runs; undefined when it never did. */
  readonly pid: Promise<number | undefined>;
}

/** What can be asked of the tasks that this process runs. */
export class ContainerdRunning implements RunningProcesses {
  readonly #tasks: ContainerdTasks;
  readonly #o: Pick<SpecOptions, 'hardLimits' | 'allCapabilities'> & { readonly run: string };
  readonly #entries = new Map<string, Entry>();
  /** Of processes that have joined one: its container. */
  readonly #beside = new Map<string, string>();
  readonly insides: RunningInsides = insidesOf((id, w) => this.#started(id, w));
  readonly #starters = new StarterPrograms([]);

  constructor(
    tasks: ContainerdTasks,
    o: Pick<SpecOptions, 'hardLimits' | 'allCapabilities'> & { readonly run: string },
  ) {
    this.#tasks = tasks;
    this.#o = o;
  }

  add(id: string, entry: Entry): Disposable {
    this.#entries.set(id, entry);
    return { [Symbol.dispose]: () => void this.#entries.delete(id) };
  }

  async signal(id: string, signal: number, w: Wait = {}): Promise<'sent' | 'ignored' | 'absent'> {
    const beside = this.#beside.get(id);
    if (beside !== undefined) {
      if (signal === 0) return 'sent';
      return (await this.#tasks.kill(beside, signal, { exec: id, ...w })) ? 'sent' : 'absent';
    }
    const found = await this.#started(id, w);
    if (!found) return 'absent';
    if (signal === 0) return 'sent';
    const certain = signal === constants.signals.SIGKILL || signal === constants.signals.SIGSTOP;
    if (!certain && !hasHandler(found.pid, signal)) return 'ignored';
    return (await this.#tasks.kill(found.container, signal, w)) ? 'sent' : 'absent';
  }

  async resize(id: string, size: TerminalSize, w: Wait = {}): Promise<void> {
    const beside = this.#beside.get(id);
    if (beside !== undefined) return this.#tasks.resize(beside, size, { exec: id, ...w });
    const found = await this.#started(id, w);
    if (found && this.#entries.get(id)?.process.terminal) await this.#tasks.resize(found.container, size, w);
  }

  async listening(id: string, w: Wait = {}): Promise<readonly ListeningPort[]> {
    const found = await this.#started(id, w);
    return found ? listeningIn(found.pid) : [];
  }

  async join(id: string, process: JoiningProcess, o: { readonly io: ProcessIo } & Wait): Promise<number> {
    const [command = ''] = process.args;
    const found = await this.#started(id, o);
    if (!found) throw execError('PROCESS_ABSENT', `run "${command}" in "${id}": it does not run`);
    throwIfCancelled(o);
    const folder = join(this.#o.run, process.id);
    mkdirSync(folder, { mode: 0o700 });
    const streams = fifoStreams(folder, process, o.io);
    try {
      return await this.#joined(found.container, withPrivileges(process, this.#entries.get(id)?.process), {
        ...o,
        streams,
      });
    } finally {
      streams.close();
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async #joined(
    container: string,
    process: JoiningProcess,
    o: { readonly streams: ReturnType<typeof fifoStreams>; readonly io: ProcessIo } & Wait,
  ): Promise<number> {
    const { streams, io } = o;
    const [command = ''] = process.args;
    const exec = { exec: process.id };
    const tasks = this.#tasks;
    let fault: unknown;
    const kill = (): void => void tasks.kill(container, constants.signals.SIGKILL, exec).catch(() => undefined);
    const fail = (error: unknown): void => {
      fault ??= error;
      kill();
    };
    await tasks.exec(container, {
      ...exec,
      spec: processSpec(specJson(specProcess(process, this.#o))),
      io: streams.task,
    });
    try {
      const waited = tasks.wait(container, exec);
      waited.catch(() => undefined);
      try {
        await tasks.start(container, exec);
      } catch (error) {
        return failedStart(error, { command, io });
      }
      streams.opened();
      this.#beside.set(process.id, container);
      const onInputEnd = (): void => void tasks.closeInput(container, exec).catch(() => undefined);
      streams.carry(io, { fail, onInputEnd, signal: o.signal });
      o.signal?.addEventListener('abort', kill, { once: true });
      if (o.signal?.aborted) kill();
      try {
        const code = await waited;
        // What it started beside itself may hold its output open.
        await Promise.race([streams.end(), new Promise((resolve) => setTimeout(resolve, LINGER_MS).unref())]);
        if (o.signal?.aborted) throw cancelled(o.signal.reason);
        if (fault !== undefined) throw fault;
        return code;
      } finally {
        o.signal?.removeEventListener('abort', kill);
      }
    } finally {
      this.#beside.delete(process.id);
      await tasks.delete(container, exec).catch(() => undefined);
    }
  }

  /** Waits until the process itself runs, not what starts it. */
  async #started(id: string, w: Wait): Promise<{ readonly container: string; readonly pid: number } | undefined> {
    const entry = this.#entries.get(id);
    const pid = await entry?.pid;
    if (!entry || pid === undefined) return undefined;
    while (this.#entries.get(id) === entry && w.signal?.aborted !== true) {
      if (!this.#starters.has(pid)) return { container: entry.container, pid };
      await new Promise((resolve) => setTimeout(resolve, STARTING_MS));
    }
    return undefined;
  }
}

const STARTING_MS = 5;
const LINGER_MS = 500;

/** The exit code of a process that could not be started, said on its stderr; throws when it is not the command's fault. */
export function failedStart(error: unknown, o: { readonly command: string; readonly io: ProcessIo }): number {
  const said = messageOf(error);
  const code = commandFailure(said);
  if (code === undefined) throw error;
  const reason = /(exec|stat|executable|open) .*$/s.exec(said)?.[0] ?? said;
  void o.io.stderr(Buffer.from(`exec "${o.command}": ${reason.replace(/: unknown$/, '')}\n`));
  return code;
}
