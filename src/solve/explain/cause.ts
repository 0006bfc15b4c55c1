import type { Digest } from '../../blob/index.ts';
import type { MemberChanges } from './member-list.ts';

/** One side of a part of a key. The value is left out where it looks like a secret. */
export interface PartValue {
  readonly digest: Digest;
  readonly value?: string | undefined;
}

/** Why a step is another one than in the build before. Plain data: shown, and kept on record. */
export type Cause =
  /** No build of this project is on record. */
  | { readonly kind: 'first' }
  /** The build before had no such step. */
  | { readonly kind: 'new' }
  /** The build before did not come to the end of it. */
  | { readonly kind: 'unfinished'; readonly outcome: 'failed' | 'cancelled' | 'not reached' }
  /** It is the same step, and its entry is gone, or (`lost`) the bytes that it led to are. */
  | { readonly kind: 'evicted'; readonly lost?: boolean | undefined }
  /** It was told to ignore the cache. */
  | { readonly kind: 'ignored' }
  /** Made of what is never the same twice. */
  | { readonly kind: 'always' }
  | { readonly kind: 'instruction'; readonly before: string; readonly after: string }
  | {
      readonly kind: 'variable';
      readonly from: 'ARG' | 'ENV';
      readonly name: string;
      readonly before?: PartValue | undefined;
      readonly after?: PartValue | undefined;
    }
  /** Another part of the key: `image`, `git`, `network`. */
  | {
      readonly kind: 'part';
      readonly name: string;
      readonly before?: PartValue | undefined;
      readonly after?: PartValue | undefined;
    }
  /** What it reads of an input: `paths` are the first of those that changed, `lists` the lists on record of all, before and after. */
  | ({ readonly kind: 'files'; readonly lists?: readonly [Digest, Digest] | undefined } & MemberChanges)
  /** What it reads of an input, of which nothing more is on record. */
  | { readonly kind: 'content' }
  /** An earlier step is another one: the nearest that is by itself, by its vertex. */
  | { readonly kind: 'follows'; readonly step: Digest; readonly name: string }
  /** Its key is another one, and nothing on record says why. */
  | { readonly kind: 'unknown' };
