export type {
  Builder,
  BuildEvent,
  BuildRequest,
  BuildResult,
  Compression,
  ExportRequest,
  GroundReport,
  ImageMetadata,
} from './builder.ts';
