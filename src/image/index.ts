export type { Healthcheck, History, ImageConfig, RunConfig } from './config.ts';
export { imageError } from './errors.ts';
export type { Image, Index, Layer } from './image.ts';
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
