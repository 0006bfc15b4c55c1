import { join } from 'node:path';
import { tempFolder, type Clock, type Random, type Wait } from '../../base/index.ts';
import { DiskBlobStore } from '../../blob/index.ts';
import type { SnapshotId } from '../../snapshot/index.ts';
import { SharedWork } from '../../solve/index.ts';
import { writeLayer, type FileTree } from '../../tree/index.ts';
import type { Session } from '../session.ts';
import type { Stage } from '../stage.ts';

interface Made {
  readonly ids: Map<FileTree, SnapshotId>;
  readonly stack: AsyncDisposableStack;
}

/** Files of the asking side as snapshots, so that steps can mount them. Each is made once in a build and goes with it: they are no layers, and every change of a context would leave another copy of it in the store. */
export class LooseTrees {
  readonly #o: { readonly stage: Stage; readonly scratch: string; readonly clock: Clock; readonly random: Random };
  readonly #made = new Map<Session, Made>();
  readonly #making = new SharedWork<SnapshotId>();
  readonly #keys = new WeakMap<FileTree, string>();

  constructor(o: { stage: Stage; scratch: string; clock: Clock; random: Random }) {
    this.#o = o;
  }

  /** There until the session ends. */
  async snapshotOf(tree: FileTree, o: { readonly session: Session } & Wait): Promise<SnapshotId> {
    const made = this.#made.get(o.session) ?? { ids: new Map(), stack: new AsyncDisposableStack() };
    this.#made.set(o.session, made);
    const known = made.ids.get(tree);
    if (known !== undefined) return known;
    const key = this.#keys.get(tree) ?? this.#o.random.hex(16);
    this.#keys.set(tree, key);
    const work = (w: { signal: AbortSignal }): Promise<SnapshotId> => this.#make(tree, made, w);
    return this.#making.run(`${o.session.id} ${key}`, work, { signal: o.signal, again: () => true });
  }

  async end(session: Session): Promise<void> {
    const made = this.#made.get(session);
    this.#made.delete(session);
    await made?.stack.disposeAsync();
  }

  async #make(tree: FileTree, made: Made, w: { signal: AbortSignal }): Promise<SnapshotId> {
    const { stage, scratch, clock, random } = this.#o;
    const { snapshotter, oneRoot } = await stage.ground(w);
    await using snapshot = new AsyncDisposableStack();
    const { id } = snapshot.use(stage.temporary('context'));
    using files = new DisposableStack();
    const { path } = files.use(tempFolder(scratch, random));
    const store = new DiskBlobStore(join(path, 'blobs'), { clock, random });
    const { diffId } = await writeLayer(tree, { store, dialect: 'oci', ...w });
    await snapshotter.apply(undefined, { path: store.pathOf(diffId) }, id, w);
    // A ground with one root unpacks it when it is wanted, each time.
    if (oneRoot === true) made.stack.use(files.move());
    made.stack.use(snapshot.move());
    made.ids.set(tree, id);
    return id;
  }
}
