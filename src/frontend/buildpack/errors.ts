import { errorTable } from '../../base/index.ts';

export const buildpackError = errorTable({
  /** A TOML file of a buildpack, builder, project or platform that says what may not be said. */
  CNB_FILE_INVALID: 'invalid',
  /** A Platform API that is not supported, or none was said; exit code 11. */
  CNB_PLATFORM_API_UNSUPPORTED: 'unsupported',
  /** A Buildpack API that is not supported; exit code 12. */
  CNB_BUILDPACK_API_UNSUPPORTED: 'unsupported',
  /** An option that says what may not be said. */
  CNB_OPTION_INVALID: 'invalid',
  /** An image that is no builder. */
  CNB_BUILDER_INVALID: 'invalid',
  /** A module that an order names is not there. */
  CNB_MODULE_MISSING: 'not_found',
  /** No group passed detection; exit code 20. */
  CNB_NOT_DETECTED: 'failed',
  /** No group passed detection, and a buildpack failed; exit code 21. */
  CNB_DETECT_FAILED: 'failed',
  /** A `bin/build` ended with another code than 0; exit code 51. */
  /** A `bin/generate` failed; exit code 91. */
  CNB_GENERATE_FAILED: 'failed',
  CNB_BUILD_FAILED: 'failed',
  /** What was built cannot become an image: a layer without a folder that no previous image has, a process type that does not exist; exit code 62. */
  CNB_EXPORT_FAILED: 'failed',
  /** The image is none that was built by buildpacks, or cannot be put on this base; exit code 72. */
  CNB_REBASE_FAILED: 'failed',
  /** A label of a buildpackage or builder that cannot be read. */
  CNB_LABEL_INVALID: 'invalid',
  /** What is no buildpack, extension, buildpackage or builder though it was taken for one. */
  CNB_MODULE_INVALID: 'invalid',
  /** Modules that do not go together: on no common stack, not used, not present, an API that the lifecycle does not know. */
  CNB_PACKAGE_INVALID: 'invalid',
  CNB_TARGET_INVALID: 'invalid',
  /** Text that names no buildpack. */
  CNB_LOCATOR_INVALID: 'invalid',
  /** A lifecycle that is none, or cannot be used. */
  CNB_LIFECYCLE_INVALID: 'invalid',
  /** A buildpack registry that does not know what was asked of it. */
  CNB_REGISTRY_MISSING: 'not_found',
  /** An index of a buildpack registry that cannot be read or written. */
  CNB_REGISTRY_INVALID: 'invalid',
  CNB_REGISTRY_UNAVAILABLE: 'unavailable',
  /** What a registry has already. */
  CNB_REGISTRY_CONFLICT: 'conflict',
});
