import { digestOf, type Descriptor, type Digest } from '../blob/index.ts';
import type { LayerRecord } from '../image/index.ts';
import type { FileTree } from '../tree/index.ts';

/** One layer of a tree, as plain data that can be kept on record. Its bytes are in the store, or can be had from `compressed` or `source`. */
export interface RefLayer {
  readonly diffId: Digest;
  /** When a step of ours made it, milliseconds since the epoch; absent for a base's. */
  readonly createdAt?: number | undefined;
  /** The layer as it came from outside. */
  readonly compressed?: Descriptor | undefined;
  /** The image reference it can be fetched from. */
  readonly source?: string | undefined;
}

/** The result of a step: layers on top of each other, or files of the asking side that are no layer (yet). */
export type Ref = LayersRef | FilesRef;

export interface LayersRef {
  readonly kind: 'layers';
  readonly layers: readonly RefLayer[];
}

export interface FilesRef {
  readonly kind: 'files';
  readonly tree: FileTree;
}

/** The name of a stack of layers, by their diffIDs, the lowest first (image-spec config.md, Layer ChainID). Undefined for none. */
export function chainId(layers: readonly { readonly diffId: Digest }[]): Digest | undefined {
  let chain: Digest | undefined;
  for (const { diffId } of layers) chain = chain === undefined ? diffId : digestOf(`${chain} ${diffId}`);
  return chain;
}

/** The layers of an input that must be layers. */
export function layersOf(ref: Ref | undefined): readonly RefLayer[] {
  if (ref?.kind !== 'layers') throw new TypeError('use files of the asking side as a root: they are no layer yet');
  return ref.layers;
}

/** The same layer as the image store keeps it. */
export function toLayerRecord({ diffId, compressed, source }: RefLayer): LayerRecord {
  return { diffId, compressed, source: source === undefined ? undefined : { reference: source } };
}
