export interface Compression {
  readonly name: 'gzip' | 'zstd' | 'none';
  readonly level?: number | undefined;
  /** Also of layers that came in another compression, those of a base. */
  readonly force?: boolean | undefined;
}
