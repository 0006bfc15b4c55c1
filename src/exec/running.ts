import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { hasErrno, type Wait } from '../base/index.ts';
import { resizeConsole, resizeInput } from './console.ts';
import { descendantsOf, namespacedPids } from './descendants.ts';
import { execError } from './errors.ts';
import { insidesOf } from './insides.ts';
import type { ProcessIo, TerminalSize } from './process.ts';
import type { Driver, Step } from './run-step.ts';
import type { JoiningProcess, ListeningPort, RunningInsides, RunningProcesses } from './running-processes.ts';
import type { Terminal } from './terminal.ts';

/** A process that was started: what was spawned for it, whose descendant it is. */
export interface Started {
  readonly pid: number;
  readonly step: Step;
  readonly terminal?: Pick<Terminal, 'resize'> | undefined;
}

/** What was spawned for a process that joins another one, and the terminal that it has. */
export interface Joined {
  readonly pid: number;
  readonly terminal?: Pick<Terminal, 'resize'> | undefined;
}

/** Where a process is in the tree of processes. */
export interface Place {
  /** Number 1 of the PID namespace that encloses all of it. */
  readonly first: number;
  /** The process itself. */
  readonly process: number;
}

/** The processes that a driver runs, by id. */
export class RunningTable implements RunningProcesses {
  readonly #driver: Driver;
  readonly #join: (
    started: Started,
    process: JoiningProcess,
    o: { place: Place; io: ProcessIo } & Wait,
  ) => Promise<number>;
  readonly insides: RunningInsides = insidesOf(async (id, w) => {
    const place = await this.#place(id, w);
    return place && { pid: place.process };
  });
  readonly #started = new Map<string, Started>();
  readonly #joined = new Map<string, Joined>();

  constructor(o: {
    driver: Driver;
    join: (started: Started, process: JoiningProcess, o: { place: Place; io: ProcessIo } & Wait) => Promise<number>;
  }) {
    this.#driver = o.driver;
    this.#join = o.join;
  }

  add(id: string, started: Started): Disposable {
    this.#started.set(id, started);
    return { [Symbol.dispose]: () => void this.#started.delete(id) };
  }

  /** A process that has joined another one. */
  addJoined(id: string, joined: Joined): Disposable {
    this.#joined.set(id, joined);
    return { [Symbol.dispose]: () => void this.#joined.delete(id) };
  }

  async signal(id: string, signal: number, w: Wait = {}): Promise<'sent' | 'ignored' | 'absent'> {
    if (this.#joined.has(id)) {
      const pid = await this.#placeOfJoined(id, w);
      return pid === undefined ? 'absent' : send(pid, signal);
    }
    const place = await this.#place(id, w);
    if (!place) return 'absent';
    if (
      signal !== 0 &&
      signal !== constants.signals.SIGKILL &&
      signal !== constants.signals.SIGSTOP &&
      !hasHandler(place.process, signal)
    )
      return 'ignored';
    return send(place.process, signal);
  }

  async resize(id: string, size: TerminalSize, w: Wait = {}): Promise<void> {
    const joined = this.#joined.get(id);
    if (joined) {
      joined.terminal?.resize(size);
      for (const pid of descendantsOf(joined.pid)) resizeInput(pid, size);
      return;
    }
    const place = await this.#place(id, w);
    const terminal = this.#started.get(id)?.terminal;
    if (!place || !terminal) return;
    terminal.resize(size);
    // The process's own, where the runtime stands in between: crun 1.8 does not pass sizes on.
    resizeConsole(place.process, size);
  }

  async listening(id: string, w: Wait = {}): Promise<readonly ListeningPort[]> {
    const place = await this.#place(id, w);
    return place ? listeningIn(place.process) : [];
  }

  async join(id: string, process: JoiningProcess, o: { readonly io: ProcessIo } & Wait): Promise<number> {
    const place = await this.#place(id, o);
    const started = this.#started.get(id);
    if (!place || !started)
      throw execError('PROCESS_ABSENT', `run "${process.args[0] ?? ''}" in "${id}": it does not run`);
    return this.#join(started, process, { ...o, place });
  }

  /** Waits until the process itself runs, not what starts it. */
  async #place(id: string, w: Wait): Promise<Place | undefined> {
    for (;;) {
      const started = this.#started.get(id);
      if (!started || w.signal?.aborted === true) return undefined;
      const place = this.#find(started);
      if (place) return place;
      await new Promise((resolve) => setTimeout(resolve, STARTING_MS));
    }
  }

  /** The same, for one that has joined. */
  async #placeOfJoined(id: string, w: Wait): Promise<number | undefined> {
    const depth = namespacedPids('self').length + this.#driver.depth;
    for (;;) {
      const joined = this.#joined.get(id);
      if (!joined || w.signal?.aborted === true) return undefined;
      const found = [joined.pid, ...descendantsOf(joined.pid)].find(
        (pid) => namespacedPids(pid).length === depth && !this.#driver.isStarting(pid),
      );
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, STARTING_MS));
    }
  }

  #find({ pid }: Started): Place | undefined {
    const depth = namespacedPids('self').length;
    const isFirst = (other: number, below: number): boolean => {
      const pids = namespacedPids(other);
      return pids.length === depth + below && pids.at(-1) === 1;
    };
    const all = descendantsOf(pid);
    const first = all.find((other) => isFirst(other, 1));
    const process = all.find((other) => isFirst(other, this.#driver.depth));
    if (first === undefined || process === undefined || this.#driver.isStarting(process)) return undefined;
    return { first, process };
  }
}

const STARTING_MS = 5;

function send(pid: number, signal: number): 'sent' | 'absent' {
  try {
    process.kill(pid, signal);
    return 'sent';
  } catch (error) {
    if (hasErrno(error, 'ESRCH')) return 'absent';
    throw error;
  }
}

/** False when a signal would be dropped: neither caught, nor blocked to be fetched later, nor ignored on purpose. */
export function hasHandler(pid: number, signal: number): boolean {
  const status = readIfThere(`/proc/${pid}/status`);
  return ['SigCgt', 'SigBlk', 'SigIgn'].some((name) => {
    const mask = new RegExp(`^${name}:\\s*([0-9a-f]+)`, 'm').exec(status)?.[1] ?? '0';
    return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
  });
}

/** In the network that a process is in. */
export function listeningIn(pid: number): ListeningPort[] {
  return ['tcp', 'tcp6'].flatMap((name) => listeners(readIfThere(`/proc/${pid}/net/${name}`)));
}

/** Rows of /proc/net/tcp and tcp6 in state LISTEN (proc(5)). */
function listeners(text: string): ListeningPort[] {
  return text.split('\n').flatMap((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/);
    const [address = '', port = ''] = local.split(':');
    if (state !== '0A') return [];
    return [{ port: parseInt(port, 16), everywhere: !LOOPBACK.test(address) }];
  });
}

/** 127.0.0.0/8, ::1 and ::ffff:127.0.0.0/104, as words of the machine's (little) byte order. */
const LOOPBACK = /^(?:0{16}F{4}0{4})?[0-9A-F]{6}7F$|^0{24}01000000$/;

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
