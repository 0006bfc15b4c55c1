import type { Catalog } from './catalog.ts';
import type { DetailsCache } from './details.ts';

/** What the pages and the API answer from. */
export interface Site {
  readonly catalog: Catalog;
  readonly details: DetailsCache;
  /** Who may register and yank; undefined where nobody may. */
  readonly tokens?: (() => Promise<readonly string[]>) | undefined;
}
