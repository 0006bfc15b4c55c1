export type { ContainerMounts, OpenContainer, WantedProcess } from './containers.ts';
export type { BaseSettings } from './base-maker.ts';
export type {
  BuildHost,
  ByteChannel,
  ByteSink,
  Credential,
  FailedStep,
  FailedStepProcess,
  ProcessControl,
  Sink,
  StepIo,
  TreeSinkOptions,
} from './build-host.ts';
export { workerError } from './errors.ts';
export * from './ground/index.ts';
export { cacheMountKey, type CacheSpec } from './mounts/index.ts';
export type { FoundImage } from './image-source.ts';
export type { CacheInfo } from './mounts/index.ts';
export { keptFailure, type KeptFailure } from './kept-failure.ts';
export type { FetchProgress, LayerAccess } from './layer-service.ts';
export {
  blobsOf,
  blobsOfImage,
  chainId,
  layersOf,
  toLayerRecord,
  type LayersRef,
  type Ref,
  type RefLayer,
} from './ref.ts';
export type { Session, SessionInit } from './session.ts';
export { explainFull } from './store-full.ts';
export { findUser, type StepUser } from './users.ts';
export type { ResolvedSource, ResolveOptions } from './source-runner.ts';
export { Worker, type Solving, type WorkerOptions } from './worker.ts';
