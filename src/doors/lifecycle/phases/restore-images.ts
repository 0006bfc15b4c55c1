import { kindOf, messageOf } from '../../../base/index.ts';
import { encodeAnalyzed, imageTarget, type Analyzed, type DetectedGroup } from '../../../frontend/buildpack/index.ts';
import { writeText, type PhaseContext } from '../context.ts';
import { lifecycleError } from '../errors.ts';
import { keepBase } from '../extend/base-cache.ts';
import type { Images, OpenImage } from '../images/images.ts';
import { builderRunImages } from '../names.ts';

/** Finds out about the images that extensions are to extend or have named, and keeps of them what the extender needs (platform.md, restorer; lifecycle cmd/lifecycle/restorer.go). */
export async function restoreImages(
  c: PhaseContext,
  analyzed: Analyzed,
  { extensions }: DetectedGroup,
): Promise<Analyzed> {
  const { inputs, log } = c;
  if (!inputs.since('0.10')) return analyzed;
  let found = analyzed;
  const buildImage = inputs.text('build-image');
  if (buildImage !== '') {
    log.debug(`Pulling builder image metadata for ${buildImage}...`);
    const { image, reference, digest } = await imagesOf(c).open(buildImage, c);
    // The volume may not be one that this user can write to where nobody needs it.
    if (extensions.length > 0) await keepBase(image, digest, c);
    found = { ...found, buildImage: reference };
  }
  const run = found.runImage;
  const isKnown = run?.target !== undefined && run.target.os !== '';
  if (run && extensions.length > 0 && (run.extend || !isKnown)) {
    const { name, image } = await openRunImage(run.image ?? run.reference, c);
    log.debug(`Pulling run image metadata for ${name}...`);
    if (run.extend && inputs.since('0.12')) await keepBase(image.image, image.digest, c);
    found = {
      ...found,
      runImage: {
        ...run,
        image: run.image === undefined ? undefined : name,
        reference: image.reference,
        target: inputs.since('0.12') ? imageTarget(image.config) : undefined,
      },
    };
  }
  if (found !== analyzed) writeText(inputs.path('analyzed'), encodeAnalyzed(found));
  return found;
}

/** A daemon's images have no manifest to keep: they are asked of their registry. */
const imagesOf = (c: PhaseContext): Images => (c.inputs.bool('daemon') ? c.remote : c.images);

/** An image that an extension has named, or, since 0.14, a mirror of it that run.toml has. */
async function openRunImage(name: string, c: PhaseContext): Promise<{ name: string; image: OpenImage }> {
  const entry = c.inputs.since('0.14')
    ? builderRunImages(c.inputs).find(({ image, mirrors }) => [image, ...mirrors].includes(name))
    : undefined;
  const names = [...new Set([name, ...(entry ? [entry.image, ...entry.mirrors] : [])])];
  const failures: string[] = [];
  for (const one of names)
    try {
      return { name: one, image: await imagesOf(c).open(one, c) };
    } catch (error) {
      if (kindOf(error) === 'cancelled' || names.length === 1) throw error;
      failures.push(messageOf(error));
    }
  throw lifecycleError('LIFECYCLE_IMAGE_MISSING', `resolve the run image "${name}": ${failures.join('; ')}`, {
    remedy: 'Check the name, the login and the registry.',
  });
}
