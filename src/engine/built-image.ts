import type { PlannedImage } from '../frontend/index.ts';
import type { Statement } from '../supply/index.ts';
import type { RefLayer } from '../worker/index.ts';
import type { finishConfig } from './finish-config.ts';

/** An image whose tree is solved: what exporters write. */
export interface BuiltImage {
  readonly plan: PlannedImage;
  readonly config: ReturnType<typeof finishConfig>;
  readonly layers: readonly RefLayer[];
  /** The same as the steps made them, before their times were clamped. */
  readonly solved: readonly RefLayer[];
  /** All layers of the final tree, for file system outputs. */
  readonly root: readonly RefLayer[];
  /** SOURCE_DATE_EPOCH in seconds, wherever it was set. */
  readonly epoch: number | undefined;
  /** What is said about it. */
  readonly statements: readonly Statement[];
}
