export { variablesAfter } from './after-build.ts';
export { mergeMetadata, type MergedBuild } from './merge-metadata.ts';
export {
  buildEnvironment,
  detectEnvironment,
  generateEnvironment,
  targetVariables,
  type EnvironmentBase,
} from './phase-environment.ts';
export { buildpackPlan, nextPlan } from './plans.ts';
export { readBuilt, type ReadBuiltOptions } from './read-built.ts';
export { planSbomRestore } from './restore-sbom.ts';
export { planRestore, type RestoredLayer, type RestoreInput, type RestorePlan } from './restore.ts';
export { baseVariables, readEnvFolder, type EnvFile, type Variables } from './variables.ts';
