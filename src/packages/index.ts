export { loginFor, readAptConfig, type AptConfig, type AptLogin } from './apt-config.ts';
export { aptProxyEnvironment } from './apt-proxy.ts';
export type { AptSettings } from './apt-settings.ts';
export type { AptSource, SignedBy } from './apt-sources.ts';
export { basesTable } from './bases-table.ts';
export { packagesError } from './errors.ts';
export {
  formatLock,
  lockDigest,
  parseLock,
  readLock,
  writeLock,
  type Lock,
  type LockPackage,
  type LockSource,
} from './lock.ts';
export {
  debianArchitecture,
  isBaseReference,
  PACKAGES_HOST,
  parseBaseReference,
  type BaseRequest,
  type BaseVariant,
} from './reference.ts';
export { resolveBase, type ResolveBaseOptions, type ResolveEvent } from './resolve-base.ts';
export { mirrorLogins } from './suite-sources.ts';
export { compareVersions } from './version.ts';
export { baseTree, type BaseTree, type BaseTreeOptions } from './base-tree.ts';
export { cleaned } from './cleaned.ts';
export { configureSteps, type ConfigureStep } from './configure-steps.ts';
export { debDescriptor, fetchPackages, type FetchEvent } from './fetch-packages.ts';
