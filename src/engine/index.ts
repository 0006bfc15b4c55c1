export type {
  Builder,
  BuildEvent,
  BuildInput,
  BuildRequest,
  BuildResult,
  Compression,
  ExportRequest,
  GroundReport,
  ImageMetadata,
} from './builder.ts';
export type {
  BaseService,
  BuildRecords,
  BaseSummary,
  Engine,
  ImageDetails,
  ImageService,
  ImageSummary,
  Location,
  PruneOptions,
  PruneReport,
  RebaseOptions,
  RebaseResult,
  StoreProblem,
  StoreService,
  TransferOptions,
  TransferProgress,
} from './engine.ts';
export { COMPARED, type Compared, type CompareOptions, type ImageDifference } from './compare.ts';
export type { ContainerRoot, ContainerRootOptions } from './container-root.ts';
export type { CacheExport, CacheImport, CacheTarget } from './cache/index.ts';
export { openEngine, type EngineOptions } from './create.ts';
export type { BuildSummary, Cause, ExplainedBuild, ExplainedStep, MemberChange, Project } from '../solve/index.ts';
export { engineError } from './errors.ts';
export { daemonSockets, loadIntoDaemon } from './export/index.ts';
export { fileSink } from './file-sink.ts';
export type { Workshop } from './workshop.ts';
