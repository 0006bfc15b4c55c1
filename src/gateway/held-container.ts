import type { Container } from '../frontend/index.ts';

/** A container that whoever steers has set up, and where its mounts are. */
export interface HeldContainer {
  readonly container: Container;
  /** By the number of the mount. */
  readonly targets: readonly string[];
}
