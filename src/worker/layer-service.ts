import { hasCode, kindOf, type Clock, type Database, type Wait } from '../base/index.ts';
import type { Descriptor, Digest, DiskBlobStore } from '../blob/index.ts';
import type { ImageStore } from '../image/index.ts';
import { SharedWork } from '../solve/index.ts';
import {
  importLayer,
  openLayer,
  unionOf,
  writeLayer,
  type Codec,
  type FileTree,
  type TreeView,
} from '../tree/index.ts';
import { workerError } from './errors.ts';
import { chainId, type FilesRef, type LayersRef, type Ref, type RefLayer } from './ref.ts';
import { together } from './together.ts';

/** Fetches the blob of a layer that lies elsewhere into the store. */
export type FetchLayer = (
  descriptor: Descriptor,
  source: string,
  o: { onBytes: (bytes: number) => void } & Wait,
) => Promise<void>;

/** How a caller is told of layers that had to be fetched; bytes of the compressed layer. */
export type FetchProgress = (layer: Digest, current: number, total: number) => void;

export interface LayerAccess extends Wait {
  readonly fetch: FetchLayer;
  readonly onProgress?: FetchProgress | undefined;
  /** Told of the compressed layer that could not be brought here from where it was said to be. */
  readonly lost?: ((compressed: Digest) => void) | undefined;
}

/** Layers fetched or unpacked at once. */
const AT_ONCE = 4;
/** Views of whole trees kept, most recently used last. */
const VIEWS = 16;
/** Trees of single layers kept. */
const TREES = 128;

/**
 * The bytes of layers, wherever they are: makes sure that the uncompressed tar is in the store only when somebody must see into it, and shows stacks of layers as file systems in memory.
 */
export class LayerService {
  readonly store: DiskBlobStore;
  readonly #images: ImageStore;
  readonly #clock: Clock;
  readonly #bringing = new SharedWork<void>();
  readonly #looking = new SharedWork<TreeView>();
  readonly #stacking = new SharedWork<LayersRef>();
  readonly #trees = new Recent<Digest, FileTree>(TREES);
  readonly #views = new Recent<Digest, TreeView>(VIEWS);
  readonly #files = new WeakMap<FileTree, KnownFiles>();
  #fileTrees = 0;

  constructor(o: { store: DiskBlobStore; images: ImageStore; clock: Clock; database: Database }) {
    this.store = o.store;
    this.#images = o.images;
    this.#clock = o.clock;
  }

  /** True when the layer's bytes are here or can be had without asking anybody but a registry. */
  isReachable(layer: RefLayer): boolean {
    return this.isHere(layer) || (layer.compressed !== undefined && layer.source !== undefined);
  }

  /** True when the layer's bytes are here in either form. */
  isHere({ diffId, compressed }: RefLayer): boolean {
    return (
      this.store.sizeOf(diffId) !== undefined ||
      (compressed !== undefined && this.store.sizeOf(compressed.digest) !== undefined)
    );
  }

  /** The path of the uncompressed tar, fetched and decompressed if need be; the same layer is fetched once however many ask. */
  async tarOf(layer: RefLayer, access: LayerAccess): Promise<string> {
    const { diffId } = layer;
    if (this.store.sizeOf(diffId) === undefined)
      await this.#bringing.run(diffId, (w) => this.#bring(layer, { ...access, ...w }), {
        ...access,
        again: () => true,
      });
    return this.store.pathOf(diffId);
  }

  /** All of these layers in the store, several at once. When one fails the others are given up, and have ended when this throws. */
  async ensure(layers: readonly RefLayer[], access: LayerAccess): Promise<void> {
    await together(layers, (layer, w) => this.tarOf(layer, { ...access, ...w }), {
      limit: AT_ONCE,
      signal: access.signal,
    });
  }

  async treeOf(layer: RefLayer, access: LayerAccess): Promise<FileTree> {
    await this.tarOf(layer, access);
    const known = this.#trees.get(layer.diffId);
    if (known) return known;
    const tree = await openLayer(this.store, layer.diffId, access);
    this.#trees.set(layer.diffId, tree);
    return tree;
  }

  /** What a process with this as its root would see. */
  async viewOf(ref: Ref, access: LayerAccess): Promise<TreeView> {
    if (ref.kind === 'files') {
      const files = this.#filesOf(ref);
      return (files.view ??= await unionOf([ref.tree], access));
    }
    const chain = chainId(ref.layers);
    if (chain === undefined) return unionOf([], access);
    const known = this.#views.get(chain);
    if (known && ref.layers.every(({ diffId }) => this.store.sizeOf(diffId) !== undefined)) return known;
    const view = await this.#looking.run(chain, (w) => this.#union(ref, { ...access, ...w }), {
      ...access,
      again: () => true,
    });
    this.#views.set(chain, view);
    return view;
  }

  /** `viewOf` of several at once. */
  async viewsOf(refs: readonly Ref[], access: LayerAccess): Promise<readonly TreeView[]> {
    return together(refs, (ref, w) => this.viewOf(ref, { ...access, ...w }), { limit: AT_ONCE, signal: access.signal });
  }

  /** The same as layers: files of the asking side become one, written when they are first asked for as such. */
  async stacked(ref: Ref | undefined, w: Wait = {}): Promise<LayersRef> {
    if (ref === undefined) return { kind: 'layers', layers: [] };
    if (ref.kind === 'layers') return ref;
    const files = this.#filesOf(ref);
    return (files.stacked ??= await this.#stacking.run(
      files.key,
      async ({ signal }) => {
        const { diffId } = await writeLayer(ref.tree, { store: this.store, dialect: 'oci', signal });
        return { kind: 'layers', layers: [{ diffId, createdAt: this.#clock.now() }] };
      },
      w,
    ));
  }

  /** Notes the compressed form of a layer, so that it is never made again. */
  rememberCompressed(diffId: Digest, compressed: { codec: Codec; descriptor: Descriptor }): void {
    this.#images.rememberCompressed(diffId, compressed.codec, compressed.descriptor);
  }

  async #union(ref: LayersRef, access: LayerAccess): Promise<TreeView> {
    await this.ensure(ref.layers, access);
    const trees: FileTree[] = [];
    for (const layer of ref.layers) trees.push(await this.treeOf(layer, access));
    return unionOf(trees, access);
  }

  async #bring(layer: RefLayer, access: LayerAccess): Promise<void> {
    const { compressed, diffId } = layer;
    if (this.store.sizeOf(diffId) !== undefined) return;
    try {
      await this.#bringFrom(layer, access);
    } catch (error) {
      if (compressed && kindOf(error) !== 'cancelled') access.lost?.(compressed.digest);
      throw error;
    }
  }

  async #bringFrom({ compressed, diffId, source }: RefLayer, access: LayerAccess): Promise<void> {
    if (compressed === undefined)
      throw workerError('LAYER_GONE', `read layer ${diffId}: it is no longer in the store`, {
        remedy: 'Build again: the steps that made it will run anew.',
      });
    const had = this.store.sizeOf(compressed.digest) !== undefined;
    if (!had) await this.#fetch(compressed, source, access);
    try {
      await importLayer(this.store, { descriptor: compressed, diffId }, access);
    } catch (error) {
      if (!had || source === undefined || !hasCode(error, 'BLOB_CORRUPT', 'COMPRESSED_CORRUPT')) throw error;
      // What the disk has spoiled is fetched again.
      await this.store.delete(compressed.digest);
      await this.#fetch(compressed, source, access);
      await importLayer(this.store, { descriptor: compressed, diffId }, access);
    }
    this.#images.rememberDiffId(compressed, diffId);
  }

  async #fetch(compressed: Descriptor, source: string | undefined, access: LayerAccess): Promise<void> {
    if (source === undefined)
      throw workerError('LAYER_GONE', `read layer ${compressed.digest}: it is no longer in the store`, {
        remedy: 'Pull or load its image again.',
      });
    let told = -1;
    await access.fetch(compressed, source, {
      signal: access.signal,
      onBytes: (bytes) => {
        if (bytes !== told) access.onProgress?.(compressed.digest, bytes, compressed.size);
        told = bytes;
      },
    });
  }

  #filesOf({ tree }: FilesRef): KnownFiles {
    const known = this.#files.get(tree);
    if (known) return known;
    const files: KnownFiles = { key: `files ${this.#fileTrees++}` };
    this.#files.set(tree, files);
    return files;
  }
}

/** What was made of files of the asking side. */
interface KnownFiles {
  readonly key: string;
  view?: TreeView;
  stacked?: LayersRef;
}

/** The values asked for most recently. */
class Recent<K, V> {
  readonly #most: number;
  readonly #values = new Map<K, V>();

  constructor(most: number) {
    this.#most = most;
  }

  get(key: K): V | undefined {
    const value = this.#values.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    const [oldest] = this.#values.keys();
    if (this.#values.size > this.#most && oldest !== undefined) this.#values.delete(oldest);
  }
}
