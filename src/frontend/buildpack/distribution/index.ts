export { withBuildUser } from './build-user.ts';
export { parseBuilderConfig, type BuilderConfig, type BuilderModule } from './builder-config.ts';
export { targetOfImage } from './check-on-builder.ts';
export { folderIndex, type WritableIndex } from './folder-index.ts';
export { httpIndex, LIST_LIMIT, LIST_PATH } from './http-index.ts';
export { findModules, type ModuleSources } from './find-modules.ts';
export { builderFacts, orderTree, type BuilderFacts, type OrderNode } from './inspect.ts';
export { describedModule, moduleInfo, moduleName, parseModuleLayers, type LabelledModule } from './labels.ts';
export { lifecycleOfImage, lifecycleOfTree, ownLifecycle, type Lifecycle } from './lifecycle-source.ts';
export { parseLocator, splitVersion, type Locator } from './locator.ts';
export { builderUser, makeBuilder, type BuilderParts } from './make-builder.ts';
export { CREATED, makePackage, type PackageOptions } from './make-package.ts';
export { moduleOfTree, type Module, type ModulePackage } from './module.ts';
export { parsePackageConfig, type PackageConfig } from './package-config.ts';
export { fromFolder, modulesOfImage, packageAtPath, packageOfImage, type ReadOptions } from './read-package.ts';
export {
  buildpackAtPath,
  compareVersions,
  encodeEntry,
  indexPath,
  newestOf,
  parseEntries,
  resolveRegistered,
  searchRegistry,
  type ListedBuildpack,
  type RegistryAddress,
  type RegistryEntry,
  type RegistryIndex,
} from './registry-index.ts';
export { resolveOrder, resolveSystem } from './resolve-order.ts';
export { scaffold, type ScaffoldFile } from './scaffold.ts';
export { commonStacks } from './stacks.ts';
export { expandTargets, formatTarget, parseTargets, platformFor, targetFolders, targetSuffix } from './targets.ts';
export { treeOfLayer, type Workshop } from './workshop.ts';
