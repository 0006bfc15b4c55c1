import { collect, type Bytes, type Wait } from '../../base/index.ts';
import {
  snapshotError,
  type ActiveSnapshot,
  type LayerTar,
  type SnapshotId,
  type SnapshotInfo,
  type Snapshotter,
  type View,
} from '../../snapshot/index.ts';
import { treeError, type Entry, type FileTree, type Mount } from '../../tree/index.ts';
import type { Asker } from './asker.ts';
import { entryOf, runsOf, type EntryRow, type Runs } from './wire.ts';

const LF = 0x0a;

interface Opened {
  readonly handle: number;
  readonly mounts: readonly Mount[];
}

/** The keeper's snapshotter. */
export class RemoteSnapshotter implements Snapshotter {
  readonly name: string;
  readonly #asker: Asker;

  constructor(asker: Asker, name: string) {
    this.#asker = asker;
    this.name = name;
  }

  async has(id: SnapshotId, w?: Wait): Promise<boolean> {
    return (await this.#asker.ask('has', { id }, w)) as boolean;
  }

  async prepare(parent: SnapshotId | undefined, w?: Wait): Promise<ActiveSnapshot> {
    const { handle, mounts } = (await this.#asker.ask('prepare', { parent }, w)) as Opened;
    return new RemoteActive(this.#asker, { parent, handle, mounts });
  }

  async commit(active: ActiveSnapshot, id: SnapshotId, w?: Wait): Promise<void> {
    if (!(active instanceof RemoteActive))
      throw snapshotError('SNAPSHOT_CLOSED', `commit snapshot "${id}": not of this store`);
    await this.#asker.ask('commit', { handle: active.handle, id }, w);
  }

  async apply(parent: SnapshotId | undefined, layer: LayerTar, id: SnapshotId, w?: Wait): Promise<void> {
    await this.#asker.ask('apply', { parent, layer, id }, w);
  }

  async view(id: SnapshotId, w?: Wait): Promise<View> {
    const { handle, mounts } = (await this.#asker.ask('view', { id }, w)) as Opened;
    return new RemoteActive(this.#asker, { parent: undefined, handle, mounts });
  }

  async changes(id: SnapshotId, w?: Wait): Promise<FileTree> {
    const entries: Entry[] = [];
    let begun: Uint8Array[] = [];
    for await (const chunk of this.#asker.stream('changes', { id }, w)) {
      let at = 0;
      for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, at)) {
        const line = Buffer.concat([...begun, chunk.subarray(at, end)]).toString();
        for (const row of JSON.parse(line) as EntryRow[]) entries.push(entryOf(row));
        begun = [];
        at = end + 1;
      }
      begun.push(chunk.subarray(at));
    }
    return new RemoteTree(this.#asker, id, entries);
  }

  async remove(id: SnapshotId, w?: Wait): Promise<void> {
    await this.#asker.ask('remove', { id }, w);
  }

  async list(w?: Wait): Promise<readonly SnapshotInfo[]> {
    const list = (await this.#asker.ask('list', {}, w)) as SnapshotInfo[];
    return list.map((info) => ({ ...info, parent: info.parent }));
  }

  async usage(id: SnapshotId, w?: Wait): Promise<{ readonly bytes: number; readonly inodes: number }> {
    return (await this.#asker.ask('usage', { id }, w)) as { bytes: number; inodes: number };
  }
}

class RemoteActive implements ActiveSnapshot {
  readonly parent: SnapshotId | undefined;
  readonly mounts: readonly Mount[];
  readonly handle: number;
  readonly #asker: Asker;
  #open = true;

  constructor(asker: Asker, o: Opened & { parent: SnapshotId | undefined }) {
    this.#asker = asker;
    this.parent = o.parent;
    this.mounts = o.mounts;
    this.handle = o.handle;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#asker.ask('close', { handle: this.handle });
  }
}

class RemoteTree implements FileTree {
  readonly #asker: Asker;
  readonly #id: SnapshotId;
  readonly #entries: readonly Entry[];
  #indexes: ReadonlyMap<string, number> | undefined;

  constructor(asker: Asker, id: SnapshotId, entries: readonly Entry[]) {
    this.#asker = asker;
    this.#id = id;
    this.#entries = entries;
  }

  async entries(): Promise<readonly Entry[]> {
    return this.#entries;
  }

  read(files: readonly Entry[], w?: Wait): Bytes {
    return this.#asker.stream('read', { id: this.#id, runs: this.#runs(files) }, w);
  }

  async digests(files: readonly Entry[], w?: Wait): ReturnType<FileTree['digests']> {
    const bytes = await collect(this.#asker.stream('digests', { id: this.#id, runs: this.#runs(files) }, w));
    return Buffer.from(bytes)
      .toString()
      .split('\n')
      .filter(Boolean)
      .map((hex): `sha256:${string}` => `sha256:${hex.slice('sha256:'.length)}`);
  }

  #runs(files: readonly Entry[]): Runs {
    this.#indexes ??= new Map(this.#entries.map((entry, index) => [entry.path, index]));
    const indexes = this.#indexes;
    return runsOf(
      files.map(({ path }) => {
        const index = indexes.get(path);
        if (index === undefined) throw treeError('FILE_CHANGED', `read "${path}" of a snapshot: there is no such file`);
        return index;
      }),
    );
  }
}
