import type { Descriptor } from '../blob/index.ts';

/** How far one blob has come. */
export interface Transfer {
  readonly kind: 'pull' | 'push';
  /** `exists` and `mounted`: nothing had to travel. */
  readonly state: 'running' | 'done' | 'exists' | 'mounted';
  readonly descriptor: Descriptor;
  /** Bytes that have passed; may fall back when an upload starts over. */
  readonly bytes: number;
}
