/** A package that a file system holds, as the records of its package manager say. */
export interface FoundPackage {
  readonly name: string;
  readonly version: string;
  /** The package URL. */
  readonly purl: string;
  /** Paths, absolute, of what says so. */
  readonly from: readonly string[];
  /** As it was written; no checked SPDX expression. */
  readonly license?: string | undefined;
}

/** What an operating system says that it is (os-release(5)). */
export interface Distribution {
  readonly id: string;
  /** `debian-12`. */
  readonly release?: string | undefined;
}
