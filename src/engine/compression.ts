export type Compression = { readonly name: 'gzip' | 'zstd' | 'none'; readonly level?: number | undefined };
