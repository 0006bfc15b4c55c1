import type { Codec } from './layer.ts';

/** Own deflate (native/deflate), one gzip member: the same bytes on every machine. */
export const GZIP: Codec = { name: 'gzip', level: 1, version: 1 };
/** Node's zstd, frames of 4 MiB. */
export const ZSTD: Codec = { name: 'zstd', level: 3, version: 1 };
export const NONE: Codec = { name: 'none', level: 0, version: 1 };

/** The media type of a layer (image-spec media-types.md); with `docker` that of Docker's image manifest v2.2. */
export function layerMediaType(codec: Codec, o: { docker?: boolean } = {}): string {
  const base = o.docker ? 'application/vnd.docker.image.rootfs.diff.tar' : 'application/vnd.oci.image.layer.v1.tar';
  return codec.name === 'none' ? base : o.docker ? `${base}.${codec.name}` : `${base}+${codec.name}`;
}
