export type { Healthcheck, History, ImageConfig, RunConfig } from './config.ts';
export type { Image, Index, Layer } from './image.ts';
