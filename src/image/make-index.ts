import { Lazy } from '../base/index.ts';
import type { Descriptor, Digest, Platform } from '../blob/index.ts';
import { parseConfig, platformOf } from './config-codec.ts';
import { imageError } from './errors.ts';
import { descriptorOf, manifestOf } from './image-from.ts';
import type { Image, Index } from './image.ts';
import { encodeManifest } from './manifest.ts';
import { isConfigType, MEDIA, toFamily, type MediaFamily } from './media-types.ts';

export interface IndexMember {
  readonly image: Image | Index;
  /** By default that of the image's config; an index or artifact has none. */
  readonly platform?: Platform | undefined;
  /** Of the descriptor in the index. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly artifactType?: string | undefined;
}

/** The index of these members, in this order. Nothing is read until asked. */
export function makeIndex(
  members: readonly IndexMember[],
  o: {
    mediaTypes: MediaFamily;
    annotations?: Readonly<Record<string, string>> | undefined;
    artifactType?: string | undefined;
    subject?: Descriptor | undefined;
  },
): Index {
  const described = new Lazy(() => Promise.all(members.map((member) => describe(member))));
  const byDigest = new Lazy(
    async () =>
      new Map<Digest, Image | Index>(
        (await described.get()).map((d, at) => [d.digest, (members[at] as IndexMember).image]),
      ),
  );
  const manifest = new Lazy(async () => {
    if (o.mediaTypes === 'docker' && Object.keys(o.annotations ?? {}).length > 0)
      throw imageError(
        'ANNOTATIONS_UNSUPPORTED',
        'make index: a manifest list of Docker media types cannot have annotations',
        {
          remedy: 'Write OCI media types, or leave the annotations out.',
        },
      );
    return encodeManifest({
      kind: 'index',
      mediaType: toFamily(MEDIA.ociIndex, o.mediaTypes),
      artifactType: o.artifactType,
      manifests: await described.get(),
      subject: o.subject,
      annotations: o.annotations,
    });
  });
  return {
    kind: 'index',
    manifest: (w) => manifest.get(w),
    member: async (descriptor, w) => {
      const found = (await byDigest.get(w)).get(descriptor.digest);
      if (!found) throw imageError('IMAGE_NOT_FOUND', `open member ${descriptor.digest}: not in this index`);
      return found;
    },
  };
}

async function describe(member: IndexMember): Promise<Descriptor> {
  const descriptor = await descriptorOf(member.image);
  const platform = member.platform ?? (member.image.kind === 'image' ? await platformOfImage(member.image) : undefined);
  return {
    ...descriptor,
    ...(member.annotations ? { annotations: member.annotations } : {}),
    ...(platform ? { platform } : {}),
    ...(member.artifactType === undefined ? {} : { artifactType: member.artifactType }),
  };
}

async function platformOfImage(image: Image): Promise<Platform | undefined> {
  const { config } = await manifestOf(image);
  return isConfigType(config.mediaType) ? platformOf(parseConfig(await image.config())) : undefined;
}
