export { annotate, withMediaTypes } from './annotate.ts';
export { append, withConfig, type Addition } from './append.ts';
export { writeDockerArchive, writeOciArchive, type ArchiveOptions, type WriteChunk } from './archive-writer.ts';
export { selectImage, type Bundle, type BundledImage, type BundleItem } from './bundle.ts';
export { chooseImage, type ChosenImage } from './choose-image.ts';
export {
  compareImages,
  compareValues,
  type ImageFacts,
  type ImagePart,
  type ValueDifference,
} from './compare-images.ts';
export { encodeConfig, parseConfig, platformOf } from './config-codec.ts';
export type { Healthcheck, History, ImageConfig, RunConfig } from './config.ts';
export { contentsOf, type Content } from './contents.ts';
export { imageError } from './errors.ts';
export { goJson, unlessEmpty, type GoValue } from './go-json.ts';
export {
  configOf,
  descriptorOf,
  imageFrom,
  imageId,
  indexFrom,
  indexManifestOf,
  manifestOf,
  openImageOrIndex,
  type ImageCore,
} from './image-from.ts';
export { blobsOf, type ImageRecord, type LayerRecord } from './image-record.ts';
export { ImageStore, type BuiltLayer } from './image-store.ts';
export type { StoredImage } from './image-table.ts';
export type { Image, Index, Layer, LayerSource } from './image.ts';
export { layerFromBlob, layerFromBytes, layerFromTar, relabel } from './layer-from.ts';
export { openLayout, writeLayout, type Layout } from './layout.ts';
export { makeImage, type ImageParts } from './make-image.ts';
export { makeIndex, type IndexMember } from './make-index.ts';
export {
  collectManifest,
  encodeManifest,
  MANIFEST_LIMIT,
  parseImageManifest,
  parseIndexManifest,
  parseManifest,
  type ImageManifest,
  type IndexManifest,
} from './manifest.ts';
export {
  compressionOf,
  familyOf,
  isConfigType,
  isForeignLayerType,
  isIndexType,
  isLayerType,
  isManifestType,
  isSchema1Type,
  layerType,
  MEDIA,
  toFamily,
  type Compression,
  type MediaFamily,
} from './media-types.ts';
export { openArchive, type Archive } from './open-archive.ts';
export {
  formatPlatform,
  hostPlatform,
  isAttestation,
  matchPlatform,
  normalizePlatform,
  parsePlatform,
  platformRuns,
} from './platform.ts';
export { canonicalReference, familiarReference, parseReference, repositoryName, type Reference } from './reference.ts';
export type { CompressLayer, OpenRemote } from './stored-layer.ts';
export { validateImage } from './validate.ts';
