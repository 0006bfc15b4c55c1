import type { Digest } from '../../../blob/index.ts';
import type { Workshop } from '../../../engine/index.ts';
import { targetSuffix, type Target } from '../../../frontend/buildpack/index.ts';
import { makeIndex, parseReference, type Image, type Index } from '../../../image/index.ts';
import { usage } from '../errors.ts';
import type { CliContext } from '../command.ts';
import type { MakeFlags } from './flags.ts';

/** An image made for a target. */
export interface MadeImage {
  readonly target: Target;
  readonly image: Image;
}

/** One image as it is, several as an index. */
export function together(made: readonly MadeImage[]): Image | Index {
  const [only] = made;
  if (only && made.length === 1) return only.image;
  return makeIndex(
    made.map(({ image }) => ({ image })),
    { mediaTypes: 'oci' },
  );
}

/** Writes what was made under its name and all others, to the local store or to registries; a name that is a place (`oci:FOLDER`) is one. Prints `NAME@DIGEST` for each. */
export async function writeImages(
  name: string,
  made: readonly MadeImage[],
  o: { shop: Workshop; flags: Pick<MakeFlags, 'publish' | 'tag' | 'appendImageNameSuffix'> } & Pick<
    CliContext,
    'io' | 'signal'
  >,
): Promise<Digest> {
  const { flags, shop } = o;
  if (flags.appendImageNameSuffix && !flags.publish)
    throw usage('--append-image-name-suffix is for what is published', 'Add --publish.');
  const place = (text: string): string => (isPlace(text) ? text : `${flags.publish ? 'docker://' : 'store:'}${text}`);
  if (flags.appendImageNameSuffix && made.length > 1)
    for (const { target, image } of made) await shop.write(place(suffixed(name, target)), image, { signal: o.signal });
  const value = together(made);
  let digest: Digest | undefined;
  for (const one of [name, ...flags.tag]) {
    const written = await shop.write(place(one), value, { signal: o.signal });
    digest ??= written.digest;
    o.io.stdout.write(`${isPlace(one) ? one : one.split('@')[0]}@${written.digest}\n`);
  }
  return digest as Digest;
}

export function isPlace(name: string): boolean {
  return /^(?:oci|oci-archive|docker-archive):/.test(name);
}

/** `name:tag` as `name:tag-linux-amd64`. */
function suffixed(name: string, target: Target): string {
  const { tag = 'latest' } = parseReference(name);
  const bare = name.endsWith(`:${tag}`) ? name.slice(0, -tag.length - 1) : name;
  return `${bare}:${tag}${targetSuffix(target)}`;
}
