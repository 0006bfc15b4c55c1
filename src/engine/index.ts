export type {
  Builder,
  BuildEvent,
  BuildInput,
  BuildRequest,
  BuildResult,
  ExportRequest,
  GroundReport,
  ImageMetadata,
} from './builder.ts';
export type { Compression } from './compression.ts';
export type {
  BaseService,
  BuildRecords,
  BaseSummary,
  Engine,
  PruneOptions,
  PruneReport,
  StoreProblem,
  StoreService,
} from './engine.ts';
export type {
  ImageDetails,
  ImageService,
  ImageSummary,
  Location,
  RebaseOptions,
  RebaseResult,
  TransferOptions,
  TransferProgress,
} from './image-service.ts';
export { COMPARED, type Compared, type CompareOptions, type ImageDifference } from './compare.ts';
export type { ContainerRoot, ContainerRootOptions } from './container-root.ts';
export type { CacheExport, CacheImport, CacheTarget } from './cache/index.ts';
export { openEngine, type EngineOptions } from './create.ts';
export type { BuildSummary, Cause, ExplainedBuild, ExplainedStep, MemberChange, Project } from '../solve/index.ts';
export { engineError } from './errors.ts';
export { daemonSockets, loadIntoDaemon } from './export/index.ts';
export { fileSink } from './file-sink.ts';
export type { StoreRecord } from './store-records.ts';
export type { Workshop } from './workshop.ts';
