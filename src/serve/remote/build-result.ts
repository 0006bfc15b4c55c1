import { parseDigest, type Descriptor, type Digest, type Platform } from '../../blob/index.ts';
import type { BuildRequest, BuildResult } from '../../engine/index.ts';
import { remoteError } from './errors.ts';

/** What the exporters of a daemon answered, as the result of a build. Several platforms have the digest of their index as image ID: a daemon says no other. */
export function resultOf(
  response: Readonly<Record<string, string>>,
  o: {
    readonly request: BuildRequest;
    readonly platforms: readonly Platform[];
    readonly more: Readonly<Record<string, string>>;
  },
): BuildResult {
  const { request, platforms, more } = o;
  const said = response['containerimage.descriptor'];
  const descriptor = said === undefined ? undefined : descriptorOf(said);
  const id = response['containerimage.config.digest'] ?? response['containerimage.digest'];
  const manifests = request.exports.flatMap((e, at) =>
    descriptor && 'names' in e ? [{ export: at, descriptor, names: e.names }] : [],
  );
  const metadata: Record<string, unknown> = { ...more, ...response };
  if (descriptor) metadata['containerimage.descriptor'] = descriptor;
  if (id === undefined) return { images: [], metadata };
  const imageId: Digest = parseDigest(id);
  return { images: platforms.map((platform) => ({ platform, imageId, manifests })), metadata };
}

/** Base64 of JSON (exptypes.ExporterImageDescriptorKey). */
function descriptorOf(text: string): Descriptor {
  try {
    const value = JSON.parse(Buffer.from(text, 'base64').toString()) as Record<string, unknown>;
    const { mediaType, digest, size, annotations } = value;
    if (typeof mediaType !== 'string' || typeof digest !== 'string' || typeof size !== 'number') throw new TypeError();
    return {
      mediaType,
      digest: parseDigest(digest),
      size,
      ...(annotations !== undefined && { annotations: annotations as Readonly<Record<string, string>> }),
    };
  } catch (error) {
    throw remoteError('REMOTE_INVALID', `read the image that was exported: "${text.slice(0, 100)}" is no descriptor`, {
      cause: error,
    });
  }
}
