import { parseDigest, isDigest, type Descriptor } from '../blob/index.ts';
import { imageError } from './errors.ts';
import type { Image, Index } from './image.ts';
import { canonicalReference, parseReference } from './reference.ts';

/** Annotations by which layouts and archives name their images (image-spec annotations.md; containerd). */
export const REF_NAME = 'org.opencontainers.image.ref.name';
export const IMAGE_NAME = 'io.containerd.image.name';
export const CREATED = 'org.opencontainers.image.created';

/** An image that lies in a layout or archive. Nothing of it is read until opened. */
export interface BundledImage {
  /** Full names, canonical. */
  readonly names: readonly string[];
  /** Names without a repository, mostly tags (`org.opencontainers.image.ref.name`). */
  readonly refs: readonly string[];
  /** As index.json has it; a docker archive has none. */
  readonly descriptor?: Descriptor | undefined;
  open(): Promise<Image | Index>;
}

/** Images that lie together in a folder or an archive. */
export interface Bundle {
  readonly kind: 'oci-layout' | 'oci-archive' | 'docker-archive';
  readonly images: readonly BundledImage[];
}

/** An image to be written into a layout or archive, under any number of names. */
export interface BundleItem {
  readonly image: Image | Index;
  /** Full names; the familiar form will do. */
  readonly names?: readonly string[] | undefined;
  /** Names without a repository, as `latest`. */
  readonly refs?: readonly string[] | undefined;
  /** More annotations of its descriptor in index.json. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/**
 * The image of a bundle that `wanted` names: a full name, a ref (tag), a manifest digest, or `@N`, the N-th image counted from 0. Without `wanted` the only image there is.
 * Throws `LAYOUT_NO_SUCH_IMAGE` or `LAYOUT_SEVERAL_IMAGES`, saying which there are.
 */
export function selectImage(bundle: Bundle, o: { wanted?: string | undefined; what: string }): BundledImage {
  const { wanted, what } = o;
  if (wanted === undefined || wanted === '') {
    const [only, ...more] = bundle.images;
    if (!only) throw imageError('LAYOUT_NO_SUCH_IMAGE', `choose an image of "${what}": it holds none`);
    if (more.length > 0)
      throw imageError('LAYOUT_SEVERAL_IMAGES', `choose an image of "${what}": it holds ${listNames(bundle)}`, {
        remedy: 'Say which one, by a name, a tag, a digest, or "@" and its number, counted from 0.',
      });
    return only;
  }
  const number = /^@(\d+)$/.exec(wanted);
  const found = number ? bundle.images[Number(number[1])] : byName(bundle, wanted);
  if (found) return found;
  throw imageError(
    'LAYOUT_NO_SUCH_IMAGE',
    `choose an image of "${what}": there is no "${wanted}"; it holds ${listNames(bundle)}`,
  );
}

/** Descriptors for index.json: one for each name (BuildKit client/ociindex, containerd archive), or one without any. */
export function namedDescriptors(
  descriptor: Descriptor,
  item: BundleItem,
  o: { created?: string | undefined },
): readonly Descriptor[] {
  const shared = {
    ...descriptor.annotations,
    ...item.annotations,
    ...(o.created === undefined ? {} : { [CREATED]: o.created }),
  };
  const withNames = (names: Readonly<Record<string, string>>): Descriptor => {
    const annotations = { ...shared, ...names };
    return Object.keys(annotations).length === 0 ? descriptor : { ...descriptor, annotations };
  };
  const named = (item.names ?? []).map((name) => {
    const reference = parseReference(name);
    const full = canonicalReference(reference);
    return withNames({ [IMAGE_NAME]: full, [REF_NAME]: reference.tag ?? full });
  });
  named.push(...(item.refs ?? []).map((ref) => withNames({ [REF_NAME]: ref })));
  return named.length === 0 ? [withNames({})] : named;
}

/** The images that the descriptors of an index.json name, those of one digest together. */
export function bundledImages(
  descriptors: readonly Descriptor[],
  open: (descriptor: Descriptor) => Promise<Image | Index>,
): readonly BundledImage[] {
  const byDigest = Map.groupBy(descriptors, (descriptor) => descriptor.digest);
  return [...byDigest.values()].map((same) => {
    const descriptor = same[0] as Descriptor;
    const refs = same.map((each) => each.annotations?.[REF_NAME]).filter((ref) => ref !== undefined);
    const names = same.map((each) => each.annotations?.[IMAGE_NAME]).filter((name) => name !== undefined);
    const full = names.length > 0 ? names : refs.filter((ref) => /[/:]/.test(ref));
    return {
      names: [...new Set(full.map((name) => canonicalName(name)).filter((name) => name !== undefined))],
      refs: [...new Set(refs)],
      descriptor,
      open: () => open(descriptor),
    };
  });
}

/** The canonical form of a name that a bundle has; undefined when it is none. */
export function canonicalName(text: string): string | undefined {
  try {
    return canonicalReference(parseReference(text));
  } catch {
    return undefined;
  }
}

function byName(bundle: Bundle, wanted: string): BundledImage | undefined {
  const name = wanted.replace(/^@/, '');
  if (isDigest(name)) {
    const digest = parseDigest(name);
    return bundle.images.find((image) => image.descriptor?.digest === digest);
  }
  const full = canonicalName(name);
  return (
    bundle.images.find((image) => full !== undefined && image.names.includes(full)) ??
    bundle.images.find((image) => image.refs.includes(name))
  );
}

function listNames(bundle: Bundle): string {
  const texts = bundle.images.map(
    (image, at) => image.names[0] ?? image.refs[0] ?? image.descriptor?.digest ?? `@${at}`,
  );
  return texts.length === 0 ? 'no image' : texts.map((text) => `"${text}"`).join(', ');
}
