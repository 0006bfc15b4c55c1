import type { Seen } from './world.ts';

/** One line that a person types, made on both sides. In its words HOST, OUT, REG, GIT, WEB, COMMIT and CHECKSUM stand for places (`World.fill`). */
export interface Line {
  readonly name: string;
  /** Words after `docker buildx`. */
  readonly words: readonly string[];
  /** Lines that come first, on each side, and work. */
  readonly before?: readonly (readonly string[])[] | undefined;
  /** A file that standard input comes from. */
  readonly stdin?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** The exit code of both. Default: 0. */
  readonly code?: number | undefined;
  /** What it writes, compared by `strake diff`. */
  readonly compare?: readonly string[] | undefined;
  /** What else is the same on both sides. */
  readonly alike?: ((seen: Seen) => unknown) | undefined;
  /** Where one side does otherwise: its exit code and its words, and why. Nothing else is compared then. */
  readonly differs?: { readonly why: string } & (
    | { readonly ours: readonly [code: number, says: RegExp] }
    | { readonly theirs: readonly [code: number, says: RegExp] }
  );
  /** The last words of both have this. */
  readonly says?: RegExp | undefined;
  /** The excerpts of the file are compared; or only ours has one. */
  readonly excerpt?: 'same' | 'ours' | undefined;
}
