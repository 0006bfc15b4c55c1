import type { Bytes, Wait } from '../base/index.ts';

/** Content that can be had as often as an upload needs it. */
export interface ObjectContent {
  readonly size: number;
  /** sha256 of it, hexadecimal, where that is known. */
  readonly sha256?: string | undefined;
  open(range?: { readonly offset: number; readonly length: number }): Promise<Bytes> | Bytes;
}

/** Objects of a cloud by their keys. Methods throw `CLOUD_*`. */
export interface Objects {
  /** What people call the place, free of logins. */
  readonly name: string;
  /** Undefined where there is none of that key. */
  find(key: string, w?: Wait): Promise<{ readonly size?: number | undefined } | undefined>;
  /** The bytes from `offset` on, `length` of them where that is given; undefined where there is none of that key. */
  open(key: string, o?: { offset?: number; length?: number } & Wait): Promise<Bytes | undefined>;
  /** Stores an object whole or not at all. False: one of that key was there and stays. */
  put(key: string, content: ObjectContent, w?: Wait): Promise<boolean>;
  /** Stores an object in the place of the one that is there. */
  replace(key: string, content: Uint8Array, w?: Wait): Promise<void>;
}

/** Bytes that are sent at once; what is larger is sent in parts of this many, or more where there would be too many parts. */
export const PART = 16 << 20;

export interface Part {
  /** From 0. */
  readonly at: number;
  readonly offset: number;
  readonly length: number;
}

/** An object cut into parts of equal length, but for the last. */
export function partsOf(size: number, most: number): readonly Part[] {
  const length = Math.max(PART, Math.ceil(size / most));
  return Array.from({ length: Math.ceil(size / length) }, (_, at) => ({
    at,
    offset: at * length,
    length: Math.min(length, size - at * length),
  }));
}
