import { appMetadata, encodeReport, rebaseImage, runImageNames } from '../../../frontend/buildpack/index.ts';
import { parseReference } from '../../../image/index.ts';
import { kindOf, messageOf } from '../../../base/index.ts';
import { nearestFirst } from '../../../frontend/buildpack/index.ts';
import { writeText, type PhaseContext } from '../context.ts';
import { lifecycleError } from '../errors.ts';
import type { OpenImage, SavedImage } from '../images/images.ts';

/** Puts an app image on another run image, in the registry alone, under every name (platform.md, rebaser). */
export async function rebase(names: readonly string[], c: PhaseContext): Promise<void> {
  const { inputs, log, images } = c;
  const [first = ''] = names;
  const source = inputs.text('previous-image') || first;
  const app = await c.images.open(source, c);
  const asked = inputs.text('run-image') || inputs.text('image');
  const known = asked === '' ? runImageNames(appMetadata({ name: source, config: app.config })) : [asked];
  const { name, base } = await firstOf(nearestFirst(known, parseReference(first).registry), { c, source });
  const { image, warnings } = await rebaseImage(
    { name: source, image: app.image },
    { name, reference: base.reference, image: base.image },
    { force: inputs.bool('force'), signal: c.signal },
  );
  for (const warning of warnings) log.warn(warning);
  let saved: SavedImage | undefined;
  for (const output of names) saved = await images.save(image, { name: output, near: source, signal: c.signal });
  log.info(`*** Images (${saved?.shown ?? ''}):`);
  for (const output of names) log.info(`      ${output}`);
  writeText(inputs.path('report'), encodeReport({ tags: names, ...saved?.report }));
}

async function firstOf(
  names: readonly string[],
  { c, source }: { c: PhaseContext; source: string },
): Promise<{ name: string; base: OpenImage }> {
  const failures: string[] = [];
  for (const name of names)
    try {
      return { name, base: await c.images.open(name, c) };
    } catch (error) {
      if (kindOf(error) === 'cancelled' || names.length === 1) throw error;
      failures.push(messageOf(error));
    }
  throw lifecycleError(
    'LIFECYCLE_IMAGE_MISSING',
    `rebase "${source}": ${failures.length === 0 ? 'its label names no run image' : `failed to find accessible run image: ${failures.join('; ')}`}`,
    { remedy: 'Name one that can be read with -run-image.' },
  );
}
