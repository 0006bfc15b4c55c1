import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findTool, hasErrno, makeFolder, runTool, type Clock, type Random, type Wait } from '../base/index.ts';
import { machineError } from './errors.ts';

/** A folder that outlives containers, by its name. */
export interface Volume {
  readonly name: string;
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Its folder on this machine. */
  readonly path: string;
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$/;
const RECORD = 'volume.json';
const DATA = 'data';

/** The named volumes of a store. */
export class VolumeStore {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(folder: string, o: { readonly clock: Clock; readonly random: Random }) {
    this.#folder = folder;
    this.#clock = o.clock;
    this.#random = o.random;
  }

  /** The one of this name, made if there is none. Throws `RUN_INVALID` for what is no name. */
  ensure(name: string, o: { readonly labels?: Readonly<Record<string, string>> | undefined } = {}): Volume {
    if (!NAME.test(name))
      throw machineError(
        'RUN_INVALID',
        `make volume "${name}": two or more letters, digits, "_", "." and "-" make a name`,
      );
    makeFolder(this.#folder, 0o711);
    const at = join(this.#folder, name);
    if (!existsSync(at)) {
      const fresh = join(this.#folder, `.${this.#random.hex(6)}`);
      mkdirSync(fresh, { mode: 0o711 });
      mkdirSync(join(fresh, DATA), { mode: 0o755 });
      const record = { createdAt: this.#clock.now(), labels: o.labels ?? {} };
      writeFileSync(join(fresh, RECORD), JSON.stringify(record), { mode: 0o600 });
      try {
        renameSync(fresh, at);
      } catch (error) {
        rmSync(fresh, { recursive: true, force: true });
        // Another process was quicker.
        if (!hasErrno(error, 'EEXIST', 'ENOTEMPTY')) throw error;
      }
    }
    return this.find(name);
  }

  list(): Volume[] {
    let names: string[];
    try {
      names = readdirSync(this.#folder);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return [];
      throw error;
    }
    return names
      .filter((name) => NAME.test(name))
      .sort()
      .flatMap((name) => this.#read(name) ?? []);
  }

  /** Throws `VOLUME_NOT_FOUND`. */
  find(name: string): Volume {
    const volume = NAME.test(name) ? this.#read(name) : undefined;
    if (!volume)
      throw machineError('VOLUME_NOT_FOUND', `find volume "${name}": there is none of this name`, {
        remedy: 'See "strake volume ls".',
      });
    return volume;
  }

  /** Removes one with all that is in it. Whether a container has it is to be seen before. */
  async remove(name: string, w: Wait = {}): Promise<void> {
    this.find(name);
    const gone = join(this.#folder, `.${this.#random.hex(6)}`);
    renameSync(join(this.#folder, name), gone);
    try {
      rmSync(gone, { recursive: true, force: true });
    } catch (error) {
      const unshare = findTool('unshare');
      if (!hasErrno(error, 'EACCES', 'EPERM') || unshare === undefined) throw error;
      // Files of an ordinary user's containers belong to its subordinate ids.
      await runTool(unshare, ['--user', '--map-root-user', '--map-auto', 'rm', '-rf', '--', gone], w);
    }
  }

  #read(name: string): Volume | undefined {
    const at = join(this.#folder, name);
    try {
      const record = JSON.parse(readFileSync(join(at, RECORD), 'utf8')) as Pick<Volume, 'createdAt' | 'labels'>;
      return { name, ...record, path: join(at, DATA) };
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      if (error instanceof SyntaxError)
        return { name, createdAt: statSync(at).mtimeMs, labels: {}, path: join(at, DATA) };
      throw error;
    }
  }
}
