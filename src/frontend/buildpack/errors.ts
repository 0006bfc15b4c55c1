import { errorTable } from '../../base/index.ts';

export const buildpackError = errorTable({
  /** A TOML file of a buildpack, builder, project or platform that says what may not be said. */
  CNB_FILE_INVALID: 'invalid',
  /** A Platform API that is not supported, or none was said; exit code 11. */
  CNB_PLATFORM_API_UNSUPPORTED: 'unsupported',
  /** A Buildpack API that is not supported; exit code 12. */
  CNB_BUILDPACK_API_UNSUPPORTED: 'unsupported',
  /** A module that an order names is not there. */
  CNB_MODULE_MISSING: 'not_found',
  /** No group passed detection; exit code 20. */
  CNB_NOT_DETECTED: 'failed',
  /** No group passed detection, and a buildpack failed; exit code 21. */
  CNB_DETECT_FAILED: 'failed',
  /** A `bin/build` ended with another code than 0; exit code 51. */
  CNB_BUILD_FAILED: 'failed',
  /** What was built cannot become an image: a layer without a folder that no previous image has, a process type that does not exist; exit code 62. */
  CNB_EXPORT_FAILED: 'failed',
  /** The image is none that was built by buildpacks, or cannot be put on this base; exit code 72. */
  CNB_REBASE_FAILED: 'failed',
});
