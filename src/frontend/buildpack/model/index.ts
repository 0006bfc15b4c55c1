export * from './analyzed.ts';
export * from './api.ts';
export * from './apis.ts';
export { encodeBuildMetadata, encodeLegacyBom, parseBuildMetadata } from './build-metadata.ts';
export * from './build-metadata-label.ts';
export { encodeModuleDescriptor, parseModuleDescriptor, readTarget, targetTable } from './descriptor.ts';
export { readExecEnv } from './exec-env.ts';
export * from './exit-codes.ts';
export * from './extend-config.ts';
export { encodeGroup, parseGroup, type DetectedGroup } from './group.ts';
export * from './ids.ts';
export * from './label-names.ts';
export * from './launch.ts';
export * from './layer.ts';
export {
  EMPTY_CACHE_METADATA,
  EMPTY_LIFECYCLE_METADATA,
  encodeCacheMetadata,
  encodeLifecycleMetadata,
  parseCacheMetadata,
  parseLifecycleMetadata,
} from './lifecycle-metadata.ts';
export { encodeOrder, encodeSystem, parseOrder, parseSystem, readEntry, readGroup, type Orders } from './order.ts';
export { encodeBuildpackPlan, encodePlan, parseBuildpackPlan, parseDetectPlan, parsePlan } from './plan.ts';
export * from './project-metadata.ts';
export * from './report.ts';
export * from './run-images.ts';
export { jsonData, sortedTable } from './sorted-table.ts';
export * from './target.ts';
export { TomlTable } from './toml-table.ts';
