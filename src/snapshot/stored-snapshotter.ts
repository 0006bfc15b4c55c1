import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { setImmediate, setTimeout } from 'node:timers/promises';
import {
  hasCode,
  runTool,
  sys,
  throwIfCancelled,
  type Clock,
  type Database,
  type Random,
  type Wait,
} from '../base/index.ts';
import { tarFileTree, type Entry, type FileTree, type Mount } from '../tree/index.ts';
import { DiskTree } from './disk-tree.ts';
import { snapshotError } from './errors.ts';
import { namesIn, statOf } from './files.ts';
import { flatten } from './flatten.ts';
import { buryDeadOwners, Owner } from './owner.ts';
import { SnapshotRecords, type SnapshotRow } from './records.ts';
import type { ActiveSnapshot, LayerTar, SnapshotId, SnapshotInfo, Snapshotter, View } from './snapshotter.ts';
import { Trash } from './trash.ts';
import { takeTurn } from './turn.ts';

export interface StoredOptions {
  /** Of this snapshotter alone. */
  readonly folder: string;
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  /** Names the map from ids in snapshots to ids on disk: snapshots made under another are not used. */
  readonly idMapStamp: string;
  /** The boot id; read from the kernel by default. */
  readonly boot?: string | undefined;
}

/** How one kind of snapshot lies in its folder. `layers`: the folders of the parent and of what it stands on, uppermost first. */
export interface SnapshotKind {
  readonly name: string;
  /** Part of the stamp. */
  readonly variant: string;
  /** More layers than these are made into one. */
  readonly maxLayers: number;
  /** Fills the new folder `at`, which is to be written by a step (`write`) or by `unpack`. */
  begin(at: string, layers: readonly string[], o: { for: 'write' | 'unpack' } & Wait): Promise<void>;
  /** Removes from `at` what only an active snapshot has. */
  end(at: string, trash: Trash): void;
  activeMounts(at: string, layers: readonly string[]): readonly Mount[];
  viewMounts(layers: readonly string[]): readonly Mount[];
  /** Returns what could not be kept. */
  unpack(tree: FileTree, at: string, o: { layers: readonly string[] } & Wait): Promise<readonly string[]>;
  changes(at: string, layers: readonly string[], w?: Wait): Promise<readonly Entry[]>;
}

/** Nothing is deleted before nothing has been written for so long; at the end there is no more time than that. */
const QUIET_MS = 1000;
const LAST_MS = 1000;

/** After this long a file has most likely been written to disk, so that waiting for it costs little. */
const SETTLES_MS = 60_000;

/**
 * Snapshots as folders `<number>/f` of one folder, with their names in the database. An active one is made in `new/` and renamed when it is committed; what is deleted is renamed to `trash/` first. Several processes may use
 * the folder: each has a locked file in `owners/`, by which `recover` finds what a killed one left.
 */
export class StoredSnapshotter implements Snapshotter, AsyncDisposable {
  readonly name: string;
  readonly #kind: SnapshotKind;
  readonly #folder: string;
  readonly #o: StoredOptions;
  readonly #records: SnapshotRecords;
  readonly #trash: Trash;
  readonly #owner: Owner;
  readonly #ending = new AbortController();
  /** Active snapshots of this process. */
  #open = 0;
  #settling: Promise<void> | undefined;
  #tidying: Promise<unknown> | undefined;

  constructor(kind: SnapshotKind, o: StoredOptions) {
    this.name = kind.name;
    this.#kind = kind;
    this.#folder = o.folder;
    this.#o = o;
    mkdirSync(`${o.folder}/new`, { recursive: true, mode: 0o700 });
    this.#records = new SnapshotRecords(o.database, {
      stamp: `${kind.name} ${kind.variant} ${o.idMapStamp}`,
      boot: o.boot ?? readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
      clock: o.clock,
    });
    this.#trash = new Trash(`${o.folder}/trash`, o.random);
    this.#owner = new Owner(`${o.folder}/owners`, o.random);
  }

  async has(id: SnapshotId, w?: Wait): Promise<boolean> {
    throwIfCancelled(w);
    const row = this.#records.find(id);
    return row !== undefined && existsSync(this.#at(row.number));
  }

  async prepare(parent: SnapshotId | undefined, w?: Wait): Promise<ActiveSnapshot> {
    return this.#begin(parent, { for: 'write', ...w });
  }

  async commit(active: ActiveSnapshot, id: SnapshotId, w?: Wait): Promise<void> {
    throwIfCancelled(w);
    if (!(active instanceof Active))
      throw snapshotError('SNAPSHOT_CLOSED', `commit snapshot "${id}": not of this store`);
    this.#commit(active, id, []);
  }

  async apply(parent: SnapshotId | undefined, layer: LayerTar, id: SnapshotId, w?: Wait): Promise<void> {
    if (await this.has(id, w)) return;
    // Several builds that begin at once want the same base: one unpacks it, the others wait.
    using _turn = await takeTurn(`${this.#folder}/turns`, id, w);
    if (await this.has(id, w)) return;
    try {
      await using active = await this.#begin(parent, { for: 'unpack', ...w });
      const tree = await tarFileTree(layer.path, w);
      const notes = await this.#kind.unpack(tree, active.at, { layers: active.layers, ...w });
      throwIfCancelled(w);
      this.#commit(active, id, notes);
    } catch (error) {
      if (hasCode(error, 'UNPACK_FULL')) await this.#trash.empty();
      throw error;
    }
  }

  async view(id: SnapshotId, w?: Wait): Promise<View> {
    throwIfCancelled(w);
    const { row, view } = this.#o.database.transaction(() => {
      const found = this.#find(id, 'look at');
      return { row: found, view: this.#records.addView(found.number, this.#owner.name) };
    });
    try {
      const mounts = this.#kind.viewMounts(await this.#layers(row.number, w));
      let open = true;
      return {
        mounts,
        [Symbol.asyncDispose]: async () => {
          if (open) this.#records.dropView(view);
          open = false;
        },
      };
    } catch (error) {
      this.#records.dropView(view);
      throw error;
    }
  }

  async changes(id: SnapshotId, w?: Wait): Promise<FileTree> {
    throwIfCancelled(w);
    const row = this.#find(id, 'read the changes of');
    const layers = row.parent === undefined ? [] : await this.#layers(row.parent, w);
    const at = `${this.#at(row.number)}/f`;
    return new DiskTree(at, await this.#kind.changes(at, layers, w));
  }

  async remove(id: SnapshotId, w?: Wait): Promise<void> {
    throwIfCancelled(w);
    const row = this.#records.find(id);
    if (!row) return;
    if (!this.#records.remove(row.number))
      throw snapshotError('SNAPSHOT_IN_USE', `remove snapshot "${id}": another one stands on it, or a step reads it`);
    await this.#trash.discard(this.#at(row.number), w);
  }

  async list(w?: Wait): Promise<readonly SnapshotInfo[]> {
    throwIfCancelled(w);
    const rows = this.#records.list();
    const names = new Map(rows.map((row) => [row.number, row.id]));
    return rows.map((row) => ({
      id: row.id ?? '',
      parent: row.parent === undefined ? undefined : names.get(row.parent),
      createdAt: row.createdAt,
      usedAt: row.usedAt,
      ...(row.notes.length === 0 ? {} : { notes: row.notes }),
    }));
  }

  async usage(id: SnapshotId, w?: Wait): Promise<{ readonly bytes: number; readonly inodes: number }> {
    const row = this.#find(id, 'measure');
    if (row.bytes !== undefined && row.inodes !== undefined) return { bytes: row.bytes, inodes: row.inodes };
    const usage = await measureTree(this.#at(row.number), w);
    this.#records.setUsage(row.number, usage);
    return usage;
  }

  /**
   * Puts right what processes that were killed and machines that were switched off have left: to be called once before use. Deleting goes on in the background until the snapshotter is closed. Returns how many snapshots and
   * folders were given up.
   */
  async recover(w?: Wait): Promise<number> {
    throwIfCancelled(w);
    let given = 0;
    const discard = (path: string): void => {
      if (!existsSync(path)) return;
      this.#trash.take(path);
      given += 1;
    };
    buryDeadOwners(`${this.#folder}/owners`, (owner) => {
      for (const number of this.#records.bury(owner)) {
        discard(`${this.#folder}/new/${number}`);
        discard(this.#at(number));
      }
      for (const name of readdirSync(`${this.#folder}/new`))
        if (name.startsWith(`${owner}-`)) discard(`${this.#folder}/new/${name}`);
    });
    for (const number of this.#records.dropUnusable((at) => !existsSync(this.#at(at)))) discard(this.#at(number));
    for (const folder of [this.#folder, `${this.#folder}/new`])
      for (const name of readdirSync(folder))
        if (/^\d+$/.test(name) && !this.#records.isKnown(Number(name))) discard(`${folder}/${name}`);
    this.#settling = this.#settle(this.#ending.signal).catch(() => undefined);
    this.#tidyLater();
    return given;
  }

  /** Gives up what is still active. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await Promise.all([this.#settling, this.#tidying]);
    for (const number of this.#records.bury(this.#owner.name)) this.#trash.take(`${this.#folder}/new/${number}`);
    await this.#trash.empty(AbortSignal.timeout(LAST_MS)).catch(() => undefined);
    this.#owner[Symbol.dispose]();
  }

  async #begin(parent: SnapshotId | undefined, o: { for: 'write' | 'unpack' } & Wait): Promise<Active> {
    throwIfCancelled(o);
    const { above, number } = this.#o.database.transaction(() => {
      const row = parent === undefined ? undefined : this.#find(parent, 'prepare a snapshot on');
      if (row) this.#records.touch(row.number);
      return { above: row, number: this.#records.addActive(row?.number, this.#owner.name) };
    });
    const at = `${this.#folder}/new/${number}`;
    const drop = (): void => {
      this.#records.remove(number);
      this.#trash.take(at);
      this.#open -= 1;
      this.#tidyLater();
    };
    this.#open += 1;
    try {
      const layers = above ? await this.#layers(above.number, o) : [];
      mkdirSync(at, { mode: 0o700 });
      mkdirSync(`${at}/f`);
      chmodSync(`${at}/f`, 0o755);
      await this.#kind.begin(at, layers, o);
      const mounts = this.#kind.activeMounts(at, layers);
      return new Active({ parent, mounts, number, at: `${at}/f`, layers, drop });
    } catch (error) {
      drop();
      throw error;
    }
  }

  #commit(active: Active, id: SnapshotId, notes: readonly string[]): void {
    active.close(`commit snapshot "${id}"`);
    this.#open -= 1;
    const at = `${this.#folder}/new/${active.number}`;
    const place = this.#at(active.number);
    try {
      this.#kind.end(at, this.#trash);
      renameSync(at, place);
      if (this.#records.commit(active.number, id, notes)) return;
    } catch (error) {
      this.#give(active.number, [at, place]);
      throw error;
    }
    this.#give(active.number, [place]);
  }

  #give(number: number, places: readonly string[]): void {
    this.#records.remove(number);
    for (const place of places) this.#trash.take(place);
    this.#tidyLater();
  }

  #find(id: SnapshotId, action: string): SnapshotRow {
    const row = this.#records.find(id);
    if (!row) throw snapshotError('SNAPSHOT_NOT_FOUND', `${action} snapshot "${id}": there is none`);
    return row;
  }

  #at(number: number): string {
    return `${this.#folder}/${number}`;
  }

  /** The folders of a snapshot and of what it stands on, uppermost first; where they are too many, the lower ones made into one for good. */
  async #layers(number: number, w?: Wait): Promise<readonly string[]> {
    const rows: SnapshotRow[] = [];
    const layers: string[] = [];
    for (const row of this.#records.chain(number)) {
      rows.push(row);
      layers.push(`${this.#at(row.number)}/${row.flat ? 'flat' : 'f'}`);
      if (row.flat) break;
    }
    const { maxLayers } = this.#kind;
    if (layers.length <= maxLayers) return layers;
    const keep = Math.floor(maxLayers / 8);
    const top = rows[keep];
    if (!top) return layers;
    const into = `${this.#folder}/new/${this.#owner.name}-${this.#o.random.hex(4)}`;
    const flat = `${this.#at(top.number)}/flat`;
    try {
      await flatten(layers.slice(keep), into, { xattrs: this.#kind.variant === 'user' ? 'user' : 'trusted', ...w });
      if (!sys.renameNoReplace(into, flat)) this.#trash.take(into);
    } catch (error) {
      this.#trash.take(into);
      throw error;
    }
    this.#records.setFlat(top.number);
    return [...layers.slice(0, keep), flat];
  }

  /** Snapshots outlive a power cut once their files are on disk: asks for that when it is cheap, not at each commit. */
  async #settle(signal: AbortSignal): Promise<void> {
    const numbers = this.#records.unsettled(this.#o.clock.now() - SETTLES_MS);
    if (numbers.length === 0) return;
    await runTool('sync', ['-f', this.#folder], { signal });
    this.#records.settle(numbers);
  }

  /** Deletes what is in the trash once nothing is being written: deletions make the file creations that follow slow (ext4). */
  #tidyLater(): void {
    const { signal } = this.#ending;
    this.#tidying ??= (async () => {
      do await setTimeout(QUIET_MS, undefined, { ref: false, signal });
      while (this.#open > 0);
      await this.#trash.empty(signal);
    })()
      .catch(() => undefined)
      .finally(() => (this.#tidying = undefined));
  }
}

class Active implements ActiveSnapshot {
  readonly parent: SnapshotId | undefined;
  readonly mounts: readonly Mount[];
  readonly number: number;
  /** The folder that takes the changes. */
  readonly at: string;
  readonly layers: readonly string[];
  readonly #drop: () => void;
  #open = true;

  constructor(o: {
    parent: SnapshotId | undefined;
    mounts: readonly Mount[];
    number: number;
    at: string;
    layers: readonly string[];
    drop: () => void;
  }) {
    this.parent = o.parent;
    this.mounts = o.mounts;
    this.number = o.number;
    this.at = o.at;
    this.layers = o.layers;
    this.#drop = o.drop;
  }

  close(action: string): void {
    if (!this.#open) throw snapshotError('SNAPSHOT_CLOSED', `${action}: it was committed or given up before`);
    this.#open = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#drop();
  }
}

/** Blocks and inodes of a folder; a file with several names counts once. */
export async function measureTree(folder: string, w?: Wait): Promise<{ bytes: number; inodes: number }> {
  const seen = new Set<bigint>();
  let bytes = 0;
  let inodes = 0;
  const folders = [folder];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    await setImmediate();
    throwIfCancelled(w);
    for (const name of namesIn(at)) {
      const path = `${at}/${name}`;
      const stat = statOf(path);
      if (!stat || (stat.nlink > 1n && !stat.isDirectory() && seen.has(stat.ino))) continue;
      if (stat.nlink > 1n && !stat.isDirectory()) seen.add(stat.ino);
      bytes += Number(stat.blocks) * 512;
      inodes += 1;
      if (stat.isDirectory()) folders.push(path);
    }
  }
  return { bytes, inodes };
}
