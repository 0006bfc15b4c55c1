export { buildpackError } from './errors.ts';
export * from './detect/index.ts';
export * from './environment/index.ts';
export * from './distribution/index.ts';
export * from './model/index.ts';
export type * from './model/types.ts';
export { appConfig, type AppConfigInput, type ExportRunImage } from './export/app-config.ts';
export {
  cacheConfig,
  cacheMetadata,
  EMPTY_CACHE_LAYER,
  planCacheLayers,
  type CachePlan,
} from './export/cache-layers.ts';
export { appFacts, type AppBomEntry, type AppFacts, type AppModule, type AppProcess } from './export/app-facts.ts';
export { cacheLog, exportLog } from './export/export-log.ts';
export { lifecycleMetadata } from './export/lifecycle-metadata.ts';
export {
  appMetadata,
  rebaseConfig,
  rebaseImage,
  type RebaseApp,
  type RebaseBase,
  type Rebased,
} from './export/rebase.ts';
export { digestReference, nearestFirst, runImageNames, sameName } from './export/run-image.ts';
export { planLayers, type Built, type PlanLayersInput } from './export/plan-layers.ts';
export { applyDockerfiles, type Applied, type ExtensionDockerfile } from './graph/apply-dockerfiles.ts';
export { readGenerated, type GeneratedDockerfile } from './graph/generated-dockerfile.ts';
export { EMBEDDED_BUILDPACKS, EMBEDDED_LAUNCHERS } from './graph/embedded.ts';
export type { ModuleLocator } from './graph/options.ts';
export { buildpackFrontend } from './graph/plan.ts';
export { isPackages, planRunImage, type PlannedRunImage } from './graph/plan-run-image.ts';
export { appFilter, filteredSource, selectAppFiles, type AppFilter, type Selection } from './project/app-files.ts';
export { GitIgnore } from './project/git-ignore.ts';
export { inlineModule } from './project/inline-module.ts';
export {
  parseProject,
  projectFor,
  type ProjectDescriptor,
  type ProjectModule,
  type ProjectSchema,
  type ProjectScript,
  type ProjectVariable,
} from './project/project.ts';
export { imageTarget } from './export/rebase-guards.ts';
