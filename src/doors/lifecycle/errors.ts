import { errorTable } from '../../base/index.ts';

export const lifecycleError = errorTable({
  /** A flag, an argument or a variable that says what may not be said; exit code 3. */
  LIFECYCLE_FLAG_INVALID: 'invalid',
  /** A program that runs what others wrote was started as root; exit code 1. */
  LIFECYCLE_ROOT: 'denied',
  /** What this lifecycle does not do. */
  LIFECYCLE_UNSUPPORTED: 'unsupported',
  /** A file that a phase needs of an earlier one, or of the builder, is not there. */
  LIFECYCLE_FILE_MISSING: 'not_found',
  /** No image that was asked for, or of which one was to be found, can be read. */
  LIFECYCLE_IMAGE_MISSING: 'not_found',
  /** What extensions made is not what an image may be. */
  LIFECYCLE_EXTEND_FAILED: 'invalid',
  /** Some of the names could not be written. */
  LIFECYCLE_SAVE_FAILED: 'failed',
  /** A Docker or Podman daemon does not do what it is asked. */
  LIFECYCLE_DAEMON_FAILED: 'failed',
  /** A cache that cannot be used. */
  LIFECYCLE_CACHE_FAILED: 'failed',
});
