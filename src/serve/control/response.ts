import type { Clock } from '../../base/index.ts';
import type { Descriptor } from '../../blob/index.ts';
import type { BuildRequest, BuildResult } from '../../engine/index.ts';

/** What Solve answers, by BuildKit's keys; the descriptor as base64, as its clients read it. */
export function responseOf(
  { images, metadata }: BuildResult,
  o: { readonly exports: BuildRequest['exports']; readonly clock: Clock },
): Record<string, string> {
  const response: Record<string, string> = {};
  const isImage = images.some(({ manifests }) => manifests.length > 0);
  for (const [key, value] of Object.entries(metadata)) {
    if (images.length === 0 && !key.startsWith('frontend.')) continue;
    if (!isImage && key.startsWith('containerimage.')) continue;
    if (key === 'containerimage.descriptor')
      response[key] = Buffer.from(JSON.stringify(describe(value as Descriptor, { ...o, images }))).toString('base64');
    else response[key] = typeof value === 'string' ? value : JSON.stringify(value);
  }
  return response;
}

/** What was written first, with all that BuildKit says of it: its platform, and for an archive the time (exporter/oci). */
function describe(
  written: Descriptor,
  o: { readonly images: BuildResult['images']; readonly exports: BuildRequest['exports']; readonly clock: Clock },
): Descriptor {
  const [image, ...others] = o.images;
  const at = image?.manifests.find(({ descriptor }) => descriptor.digest === written.digest)?.export ?? 0;
  const type = o.exports[at]?.type;
  const isIndex = others.length > 0 || /index|manifest\.list/.test(written.mediaType);
  return {
    ...written,
    ...(!isIndex && image && { platform: written.platform ?? image.platform }),
    ...((type === 'oci' || type === 'docker') && {
      annotations: {
        ...written.annotations,
        'org.opencontainers.image.created': new Date(o.clock.now()).toISOString(),
      },
    }),
  };
}
