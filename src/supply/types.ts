/** Something said about an image: an in-toto predicate. */
export interface Statement {
  /** As `https://slsa.dev/provenance/v1`. */
  readonly predicateType: string;
  /** A JSON document. */
  readonly predicate: Uint8Array;
  /** The name of its file where files are written; none where it is empty. */
  readonly filename: string;
  /** Only in images: no file is written, and a single image in an archive stays without an index for it (BuildKit's `inline-only`). */
  readonly inlineOnly?: boolean | undefined;
}

/** What of provenance is asked for. */
export interface ProvenanceWish {
  readonly mode: 'min' | 'max';
  readonly version: 'v0.2' | 'v1';
  readonly builderId: string;
  readonly reproducible: boolean;
  readonly inlineOnly: boolean;
  readonly filename: string;
}

export interface AttestationWishes {
  readonly provenance?: ProvenanceWish | undefined;
  readonly sbom?: Readonly<Record<string, never>> | undefined;
}
