/** The package `strake`: builds in process, graphs, images, registries. */
export {
  CodedError,
  kindOf,
  systemClock,
  systemRandom,
  type ErrorKind,
  type SourcePlace,
  type Wait,
} from '../base/index.ts';
export {
  digestOf,
  type BlobReader,
  type BlobWriter,
  type Descriptor,
  type Digest,
  type Platform,
} from '../blob/index.ts';
export type {
  Builder,
  BuildEvent,
  BuildRequest,
  BuildResult,
  Engine,
  ExportRequest,
  ImageMetadata,
  ImageService,
} from '../engine/index.ts';
export { fileSink } from '../engine/index.ts';
export type { Frontend, FrontendHost, FrontendRequest, Plan, PlannedImage } from '../frontend/index.ts';
export { scratch, sourceState, State, type Op, type SourceOp, type Vertex } from '../graph/index.ts';
export {
  append,
  annotate,
  configOf,
  familiarReference,
  formatPlatform,
  hostPlatform,
  makeImage,
  makeIndex,
  openArchive,
  openLayout,
  parsePlatform,
  parseReference,
  writeLayout,
  type Image,
  type ImageConfig,
  type Index,
} from '../image/index.ts';
export { RegistryClient, type RegistryClientOptions } from '../registry/index.ts';
export { folderSource, type FileSource } from '../tree/index.ts';
export type { BuildHost, ByteSink, Credential, Sink } from '../worker/index.ts';
export { openEngine, type OpenOptions } from './open-engine.ts';
export { offer, type Offered } from './offer.ts';
