import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { hasErrno, makeFolder, messageOf, sleep, sys, type Clock, type Random, type Wait } from '../base/index.ts';
import { stateOfProcess } from '../blob/index.ts';
import { machineError } from './errors.ts';
import type { ContainerRecord, ContainerSpec } from './record.ts';

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
const RECORD = 'container.json';
const LOCK = 'lock';
/** A monitor may need so long to put things away. */
const ENDING_MS = 60_000;

/** The containers of a store: a folder each, with its record, its log and its monitor's socket. Several processes use it at once. */
export class ContainerStore {
  readonly folder: string;
  readonly #clock: Clock;
  readonly #random: Random;

  /** `folder` is made when the first container is. */
  constructor(folder: string, o: { readonly clock: Clock; readonly random: Random }) {
    this.folder = folder;
    this.#clock = o.clock;
    this.#random = o.random;
  }

  /** A new container that nothing runs for yet. Throws `CONTAINER_EXISTS` for a name that is taken, `RUN_INVALID` for one that cannot be. */
  create(spec: ContainerSpec, o: { readonly name?: string | undefined }): ContainerRecord {
    if (o.name !== undefined && !NAME.test(o.name))
      throw machineError('RUN_INVALID', `name a container "${o.name}": letters, digits, "_", "." and "-" make a name`);
    makeFolder(this.folder, 0o700);
    return this.#alone(() => {
      const all = this.list();
      const taken = new Set(all.flatMap(({ id, name }) => [id, name]));
      let id = this.#random.hex(6);
      while (taken.has(id)) id = this.#random.hex(6);
      const name = o.name ?? this.#nameFor(spec, { id, taken });
      if (taken.has(name))
        throw machineError('CONTAINER_EXISTS', `name a container "${name}": there is one of this name`, {
          remedy: `Choose another name, or remove that one: strake container rm ${name}.`,
        });
      const record: ContainerRecord = {
        version: 1,
        id,
        name,
        createdAt: this.#clock.now(),
        spec,
        status: 'created',
        restarts: 0,
        ports: [],
      };
      mkdirSync(join(this.folder, id), { mode: 0o700 });
      this.write(record);
      return record;
    });
  }

  /** All that are there, the newest first. */
  list(): ContainerRecord[] {
    return namesIn(this.folder)
      .filter((name) => /^[0-9a-f]{12}$/.test(name))
      .flatMap((id) => this.read(id) ?? [])
      .sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1));
  }

  read(id: string): ContainerRecord | undefined {
    try {
      return JSON.parse(readFileSync(join(this.folder, id, RECORD), 'utf8')) as ContainerRecord;
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw machineError('CONTAINER_BROKEN', `read container "${id}": ${messageOf(error)}`, { cause: error });
    }
  }

  /** The one of this name or ID. */
  exact(text: string): ContainerRecord | undefined {
    return this.list().find(({ id, name }) => id === text || name === text);
  }

  /** The one of this name or ID, or whose ID alone begins so. Throws `CONTAINER_NOT_FOUND`. */
  find(text: string): ContainerRecord {
    const all = this.list();
    const exact = all.find(({ id, name }) => id === text || name === text);
    if (exact) return exact;
    const [one, ...more] = text === '' ? [] : all.filter(({ id }) => id.startsWith(text));
    if (one && more.length === 0) return one;
    throw machineError(
      'CONTAINER_NOT_FOUND',
      one
        ? `find container "${text}": ${more.length + 1} IDs begin with it`
        : `find container "${text}": there is none of this name or ID`,
      { remedy: 'See "strake ps -a".' },
    );
  }

  /** Replaces a record, whole or not at all. Only who has taken the container may. */
  write(record: ContainerRecord): void {
    const path = join(this.folder, record.id, RECORD);
    const fresh = `${path}.${process.pid}`;
    writeFileSync(fresh, JSON.stringify(record), { mode: 0o600 });
    renameSync(fresh, path);
  }

  folderOf(id: string): string {
    return join(this.folder, id);
  }

  /** Whether its monitor lives: not another process that has got its number since. */
  isWatched(record: ContainerRecord): boolean {
    return record.monitor !== undefined && stateOfProcess(record.monitor) !== 'ended';
  }

  /** Takes a container, as its monitor or to change what none is watching, until the end of the scope. Undefined when somebody has it, or it is gone. */
  take(id: string): Disposable | undefined {
    let fd: number;
    try {
      fd = openSync(join(this.folder, id, LOCK), 'a', 0o600);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
    if (!sys.flock(fd, 'exclusive') || !existsSync(join(this.folder, id, RECORD))) {
      closeSync(fd);
      return undefined;
    }
    return { [Symbol.dispose]: () => closeSync(fd) };
  }

  /** As `take`, waiting for a monitor that is about to end. Throws `CONTAINER_BUSY`; `CONTAINER_NOT_FOUND` when it is gone; `CONTAINER_RUNNING`, to who wants to start it, when it runs. */
  async takeSoon(id: string, o: { readonly toStart?: boolean | undefined } & Wait = {}): Promise<Disposable> {
    const until = this.#clock.now() + ENDING_MS;
    for (;;) {
      const taken = this.take(id);
      if (taken) return taken;
      const record = this.read(id);
      if (!record) throw machineError('CONTAINER_NOT_FOUND', `take container "${id}": it was removed`);
      if (o.toStart === true && record.status === 'running' && this.isWatched(record))
        throw machineError('CONTAINER_RUNNING', `start container "${record.name}": it is running`);
      if (this.#clock.now() > until)
        throw machineError('CONTAINER_BUSY', `take container "${record.name}": another process has it`);
      await sleep(10, o);
    }
  }

  /** Takes away all that is on disk of a container that was taken. */
  remove(id: string): void {
    this.#alone(() => {
      // First of all what says that it is there.
      rmSync(join(this.folder, id, RECORD), { force: true });
      rmSync(join(this.folder, id), { recursive: true, force: true });
    });
  }

  /** What is left of the image's name, and some of the ID. */
  #nameFor(spec: ContainerSpec, o: { readonly id: string; readonly taken: ReadonlySet<string> }): string {
    const last = /([^/]*)$/.exec(spec.image.replace(/[:@].*$/, ''))?.[1] ?? '';
    const stem =
      /^[a-z0-9]/i.test(last) && !/^(?:[0-9a-f]{12,}|sha256)$/.test(last)
        ? last.replaceAll(/[^\w.-]/g, '-')
        : 'container';
    for (let digits = 4; digits < o.id.length; digits++) {
      const name = `${stem.slice(0, 100)}-${o.id.slice(0, digits)}`;
      if (!o.taken.has(name)) return name;
    }
    return `${stem.slice(0, 100)}-${o.id}`;
  }

  /** One process at a time makes and removes containers. */
  #alone<T>(work: () => T): T {
    const fd = openSync(join(this.folder, LOCK), 'a', 0o600);
    try {
      sys.flock(fd, 'exclusive', { wait: true });
      return work();
    } finally {
      closeSync(fd);
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
