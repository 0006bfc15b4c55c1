export type { BaseSettings } from './base-maker.ts';
export type { BuildHost, ByteChannel, ByteSink, Credential, Sink } from './build-host.ts';
export { workerError } from './errors.ts';
export * from './ground/index.ts';
export type { FoundImage } from './image-source.ts';
export type { FetchProgress, LayerAccess } from './layer-service.ts';
export { chainId, layersOf, toLayerRecord, type LayersRef, type Ref, type RefLayer } from './ref.ts';
export type { Session } from './session.ts';
export { Worker, type ResolveOptions, type Solving, type WorkerOptions } from './worker.ts';
