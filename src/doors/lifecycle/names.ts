import { kindOf, messageOf } from '../../base/index.ts';
import { nearestFirst, parseRunToml, parseStackToml, type RunImage } from '../../frontend/buildpack/index.ts';
import { canonicalReference, parseReference } from '../../image/index.ts';
import type { PhaseContext } from './context.ts';
import { readText } from './disk-files.ts';
import { lifecycleError } from './errors.ts';
import type { OpenImage } from './images/images.ts';
import type { Inputs } from './inputs.ts';

/** The one argument of analyzer and creator, or of a rebaser the names of what it makes. Throws `LIFECYCLE_FLAG_INVALID`. */
export function outputNames(words: readonly string[], o: { most: number }): readonly string[] {
  if (words.length === 0)
    throw lifecycleError(
      'LIFECYCLE_FLAG_INVALID',
      'parse arguments: received 0 arguments, but expected the name of an image',
      {
        remedy: 'Name the image after the flags.',
      },
    );
  if (words.length > o.most)
    throw lifecycleError(
      'LIFECYCLE_FLAG_INVALID',
      `parse arguments: received ${words.length} arguments, but expected ${o.most}: ${words.map((word) => `"${word}"`).join(' ')}`,
      { remedy: 'Flags stand before the name of the image.' },
    );
  const names = words.map((word) => canonicalName(word));
  const registries = new Set(names.map((name) => parseReference(name).registry));
  if (registries.size > 1)
    throw lifecycleError(
      'LIFECYCLE_FLAG_INVALID',
      `parse arguments: writing to multiple registries is unsupported: ${[...registries].join(', ')}`,
      { remedy: 'Name one registry, and copy the image to others ("strake copy").' },
    );
  return words;
}

/** Throws `LIFECYCLE_FLAG_INVALID` for what is no name of an image. */
export function canonicalName(name: string): string {
  try {
    return canonicalReference(parseReference(name));
  } catch (error) {
    throw lifecycleError('LIFECYCLE_FLAG_INVALID', `parse arguments: ${messageOf(error)}`, { cause: error });
  }
}

/** The run images of the builder: run.toml, or stack.toml with a Platform API before 0.12. */
export function builderRunImages(inputs: Inputs): readonly RunImage[] {
  const name = inputs.since('0.12') ? 'run' : 'stack';
  const path = inputs.path(name);
  const text = readText(path);
  if (text === undefined) return [];
  if (name === 'run') return parseRunToml(text, path);
  const legacy = parseStackToml(text, path);
  return legacy ? [legacy] : [];
}

/** The run image that is asked for, else the builder's first or one of its mirrors: the one on the registry of the result, then the first that can be read (platform.md, Run Image Resolution). Throws `LIFECYCLE_IMAGE_MISSING`. */
export async function chooseRunImage(output: string, c: PhaseContext): Promise<{ name: string; image: OpenImage }> {
  const { inputs, images } = c;
  const asked = inputs.text('run-image');
  const [first] = builderRunImages(inputs);
  const names =
    asked !== ''
      ? [asked]
      : first
        ? nearestFirst([first.image, ...first.mirrors], parseReference(output).registry)
        : [];
  const failures: string[] = [];
  for (const name of names)
    try {
      return { name, image: await images.open(name, c) };
    } catch (error) {
      if (kindOf(error) === 'cancelled' || names.length === 1) throw error;
      failures.push(messageOf(error));
    }
  throw lifecycleError(
    'LIFECYCLE_IMAGE_MISSING',
    names.length === 0
      ? 'resolve the run image: -run-image is required when there is no run image metadata in the builder'
      : `resolve the run image: failed to find accessible run image: ${failures.join('; ')}`,
    { remedy: 'Name one that can be read with -run-image.' },
  );
}

/** Which run images a rebase may use: the builder's entry that has `name`, else its first (lifecycle phase/exporter.go, runImageLabels). */
export function runImageEntry(name: string, inputs: Inputs): RunImage {
  const images = builderRunImages(inputs);
  const known = images.find(({ image, mirrors }) => [image, ...mirrors].some((one) => same(one, name)));
  return known ?? images[0] ?? { image: name, mirrors: [] };
}

function same(a: string, b: string): boolean {
  try {
    return canonicalReference(parseReference(a)) === canonicalReference(parseReference(b));
  } catch {
    return a === b;
  }
}
