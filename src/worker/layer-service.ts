import { Flight, hasCode, mapBounded, type Database, type Wait } from '../base/index.ts';
import type { Descriptor, Digest, DiskBlobStore } from '../blob/index.ts';
import type { ImageStore } from '../image/index.ts';
import { importLayer, openLayer, unionOf, type Codec, type FileTree, type TreeView } from '../tree/index.ts';
import { workerError } from './errors.ts';
import { chainId, type LayersRef, type Ref, type RefLayer } from './ref.ts';

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
}

/** Layers fetched or unpacked at once. */
const AT_ONCE = 4;
/** Views of whole trees kept, most recently used last. */
const VIEWS = 16;

/**
 * The bytes of layers, wherever they are: makes sure that the uncompressed tar is in the store only when somebody must see into it, and shows stacks of layers as file systems in memory.
 */
export class LayerService {
  readonly store: DiskBlobStore;
  readonly #images: ImageStore;
  readonly #flight = new Flight<void>();
  readonly #trees = new Map<Digest, Promise<FileTree>>();
  readonly #views = new Map<string, Promise<TreeView>>();

  constructor(o: { store: DiskBlobStore; images: ImageStore; database: Database }) {
    this.store = o.store;
    this.#images = o.images;
  }

  /** True when the layer's bytes are here or can be had without asking anybody but a registry. */
  isReachable(layer: RefLayer): boolean {
    if (this.store.sizeOf(layer.diffId) !== undefined) return true;
    const { compressed, source } = layer;
    return compressed !== undefined && (source !== undefined || this.store.sizeOf(compressed.digest) !== undefined);
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
    if (this.store.sizeOf(diffId) === undefined) await this.#flight.run(diffId, () => this.#bring(layer, access));
    return this.store.pathOf(diffId);
  }

  /** All of these layers in the store, several at once. */
  async ensure(layers: readonly RefLayer[], access: LayerAccess): Promise<void> {
    await mapBounded(layers, AT_ONCE, (layer) => this.tarOf(layer, access));
  }

  async treeOf(layer: RefLayer, access: LayerAccess): Promise<FileTree> {
    await this.tarOf(layer, access);
    let tree = this.#trees.get(layer.diffId);
    if (!tree) {
      tree = openLayer(this.store, layer.diffId);
      this.#trees.set(layer.diffId, tree);
      tree.catch(() => this.#trees.delete(layer.diffId));
    }
    return tree;
  }

  /** What a process with this as its root would see. */
  async viewOf(ref: Ref, access: LayerAccess): Promise<TreeView> {
    if (ref.kind === 'files') return unionOf([ref.tree], access);
    const chain = chainId(ref.layers) ?? '';
    const known = this.#views.get(chain);
    if (known) {
      this.#views.delete(chain);
      this.#views.set(chain, known);
      return known;
    }
    const view = this.#union(ref, access);
    this.#views.set(chain, view);
    view.catch(() => this.#views.delete(chain));
    for (const oldest of this.#views.keys()) {
      if (this.#views.size <= VIEWS) break;
      this.#views.delete(oldest);
    }
    return view;
  }

  /** Notes the compressed form of a layer, so that it is never made again. */
  rememberCompressed(diffId: Digest, compressed: { codec: Codec; descriptor: Descriptor }): void {
    this.#images.rememberCompressed(diffId, compressed.codec, compressed.descriptor);
  }

  async #union(ref: LayersRef, access: LayerAccess): Promise<TreeView> {
    const trees = await mapBounded(ref.layers, AT_ONCE, (layer) => this.treeOf(layer, access));
    return unionOf(trees, access);
  }

  async #bring(layer: RefLayer, access: LayerAccess): Promise<void> {
    const { compressed, diffId, source } = layer;
    if (compressed === undefined)
      throw workerError('LAYER_GONE', `read layer ${diffId}: it is no longer in the store`, {
        remedy: 'Build again: the steps that made it will run anew.',
      });
    if (this.store.sizeOf(compressed.digest) === undefined) {
      if (source === undefined)
        throw workerError('LAYER_GONE', `read layer ${compressed.digest}: it is no longer in the store`);
      await access.fetch(compressed, source, {
        signal: access.signal,
        onBytes: (bytes) => access.onProgress?.(compressed.digest, bytes, compressed.size),
      });
    }
    await importLayer(this.store, { descriptor: compressed, diffId }, { signal: access.signal });
    this.#images.rememberDiffId(compressed, diffId);
  }
}

/** True when a result's layers can no longer be had, so that the step has to run again. */
export function isLayerGone(error: unknown): boolean {
  return hasCode(error, 'LAYER_GONE', 'BLOB_NOT_FOUND');
}
