import { digestOf, type Descriptor, type Digest } from '../blob/index.ts';
import type { ImageRecord, LayerRecord } from '../image/index.ts';
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

/** The result of a step: layers on top of each other, or files that are no layer (yet): those of the asking side, a download. */
export type Ref = LayersRef | FilesRef;

export interface LayersRef {
  readonly kind: 'layers';
  readonly layers: readonly RefLayer[];
}

export interface FilesRef {
  readonly kind: 'files';
  readonly tree: FileTree;
}

/** The names of the stacks that these layers make, by their diffIDs, the lowest first (image-spec config.md, Layer ChainID): one for each layer, of it and all below. */
export function chainIds(layers: readonly { readonly diffId: Digest }[]): readonly Digest[] {
  const chains: Digest[] = [];
  for (const { diffId } of layers) {
    const below = chains.at(-1);
    chains.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chains;
}

/** The name of a whole stack of layers. Undefined for none. */
export function chainId(layers: readonly { readonly diffId: Digest }[]): Digest | undefined {
  return chainIds(layers).at(-1);
}

/** The layers of an input that must be layers; `LayerService.stacked` makes a layer of what is none. */
export function layersOf(ref: Ref | undefined): readonly RefLayer[] {
  if (ref?.kind !== 'layers') throw new TypeError('use files of the asking side as a root: they are no layer yet');
  return ref.layers;
}

/** The blobs that hold a layer, or may. */
export function blobsOf(layers: readonly Pick<RefLayer, 'diffId' | 'compressed'>[]): Digest[] {
  return layers.flatMap(({ diffId, compressed }) => (compressed ? [diffId, compressed.digest] : [diffId]));
}

/** The blobs that make up an image of the store, or may. */
export function blobsOfImage({ config, manifest, index, layers, statements = [] }: ImageRecord): Digest[] {
  const named = [config, manifest, index].flatMap((descriptor) => (descriptor ? [descriptor.digest] : []));
  return [...named, ...blobsOf(layers), ...statements.map(({ predicate }) => predicate.digest)];
}

/** The same layer as the image store keeps it. */
export function toLayerRecord({ diffId, compressed, source }: RefLayer): LayerRecord {
  return { diffId, compressed, source: source === undefined ? undefined : { reference: source } };
}
