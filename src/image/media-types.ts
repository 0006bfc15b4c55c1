/** The media types of images: OCI's (image-spec media-types.md) and Docker's (distribution manifest v2 schema 2), which are read alike. */
export const MEDIA = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  ociEmpty: 'application/vnd.oci.empty.v1+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerLayerZstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
  dockerForeign: 'application/vnd.docker.image.rootfs.foreign.diff.tar',
  dockerForeignGzip: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
  schema1: 'application/vnd.docker.distribution.manifest.v1+json',
  schema1Signed: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
} as const;

/** Which of the two families of media types an image is written in. */
export type MediaFamily = 'oci' | 'docker';

/** How the bytes of a layer are compressed. */
export type Compression = 'none' | 'gzip' | 'zstd';

const OCI_LAYER = /^application\/vnd\.oci\.image\.layer\.(nondistributable\.)?v1\.tar(?:\+(gzip|zstd))?$/;
const DOCKER_LAYER = /^application\/vnd\.docker\.image\.rootfs\.(foreign\.)?diff\.tar(?:\.(gzip|zstd))?$/;

export function isIndexType(mediaType: string): boolean {
  return mediaType === MEDIA.ociIndex || mediaType === MEDIA.dockerIndex;
}

/** True for the manifest of one image or artifact. */
export function isManifestType(mediaType: string): boolean {
  return mediaType === MEDIA.ociManifest || mediaType === MEDIA.dockerManifest;
}

/** True for a layer that is a tar, compressed in a way we know. */
export function isLayerType(mediaType: string): boolean {
  return OCI_LAYER.test(mediaType) || DOCKER_LAYER.test(mediaType);
}

/** True for the configuration of an image, as opposed to that of an artifact. */
export function isConfigType(mediaType: string): boolean {
  return mediaType === MEDIA.ociConfig || mediaType === MEDIA.dockerConfig;
}

/** True for layers that some registries may not be given: OCI's non-distributable and Docker's foreign ones. */
export function isForeignLayerType(mediaType: string): boolean {
  return (OCI_LAYER.exec(mediaType) ?? DOCKER_LAYER.exec(mediaType))?.[1] !== undefined;
}

/** True for Docker's schema 1, which is recognised only to be refused. */
export function isSchema1Type(mediaType: string): boolean {
  return mediaType === MEDIA.schema1 || mediaType === MEDIA.schema1Signed;
}

/** How a layer of this type is compressed; undefined when it is no layer type. */
export function compressionOf(mediaType: string): Compression | undefined {
  const match = OCI_LAYER.exec(mediaType) ?? DOCKER_LAYER.exec(mediaType);
  return match ? ((match[2] ?? 'none') as Compression) : undefined;
}

/** The layer type for a compression. */
export function layerType(compression: Compression, family: MediaFamily): string {
  if (family === 'oci') return compression === 'none' ? MEDIA.ociLayer : `${MEDIA.ociLayer}+${compression}`;
  return compression === 'none' ? MEDIA.dockerLayer : `${MEDIA.dockerLayer}.${compression}`;
}

/** The family of a manifest, index, config or layer type; undefined for any other. */
export function familyOf(mediaType: string): MediaFamily | undefined {
  if (isIndexType(mediaType) || isManifestType(mediaType) || isConfigType(mediaType) || isLayerType(mediaType))
    return mediaType.includes('.docker.') ? 'docker' : 'oci';
  return undefined;
}

/** The type that means the same in the other family. Types of neither family (artifacts) stay as they are. */
export function toFamily(mediaType: string, family: MediaFamily): string {
  if (familyOf(mediaType) === family) return mediaType;
  const pair = PAIRS.find(([oci, docker]) => oci === mediaType || docker === mediaType);
  if (pair) return pair[family === 'oci' ? 0 : 1];
  const layer = OCI_LAYER.exec(mediaType) ?? DOCKER_LAYER.exec(mediaType);
  if (!layer) return mediaType;
  const compression = layer[2];
  return family === 'oci'
    ? `application/vnd.oci.image.layer.${layer[1] ? 'nondistributable.' : ''}v1.tar${compression ? `+${compression}` : ''}`
    : `application/vnd.docker.image.rootfs.${layer[1] ? 'foreign.' : ''}diff.tar${compression ? `.${compression}` : ''}`;
}

const PAIRS = [
  [MEDIA.ociIndex, MEDIA.dockerIndex],
  [MEDIA.ociManifest, MEDIA.dockerManifest],
  [MEDIA.ociConfig, MEDIA.dockerConfig],
] as const;
