import { rmSync } from 'node:fs';
import { messageOf } from '../../../base/index.ts';
import type { Digest } from '../../../blob/index.ts';
import {
  EMPTY_LIFECYCLE_METADATA,
  encodeAnalyzed,
  imageTarget,
  LABELS,
  parseLifecycleMetadata,
  type Analyzed,
  type LifecycleMetadata,
} from '../../../frontend/buildpack/index.ts';
import { parseReference } from '../../../image/index.ts';
import { importLayer, openLayer } from '../../../tree/index.ts';
import type { PhaseContext } from '../context.ts';
import { writeText } from '../context.ts';
import { lifecycleError } from '../errors.ts';
import { extractBelow } from '../extract-below.ts';
import { findImage } from '../find-image.ts';
import type { OpenImage } from '../images/images.ts';
import { canonicalName, chooseRunImage } from '../names.ts';

/** Finds out what there is before a build: rights, the image of the build before, the run image; writes analyzed.toml (platform.md, analyzer). `names`: what the result is to be called. */
export async function analyze(
  names: readonly string[],
  o: PhaseContext & { readonly restoreSbom: boolean },
): Promise<Analyzed> {
  const { inputs, log, registry, images } = o;
  const [output = ''] = names;
  const cacheImage = inputs.text('cache-image');
  for (const name of [...names, ...(cacheImage === '' ? [] : [cacheImage])]) {
    canonicalName(name);
    try {
      await (name === cacheImage ? registry.checkPush(parseReference(name), o) : images.checkWrite(name, o));
    } catch (error) {
      throw lifecycleError(
        'LIFECYCLE_IMAGE_MISSING',
        `validate registry write access to "${name}": ${messageOf(error)}`,
        {
          cause: error,
          remedy: 'Log in with rights to push, or set CNB_REGISTRY_AUTH.',
        },
      );
    }
  }
  const previousName = inputs.text('previous-image') || output;
  const previous = await findImage(previousName, o);
  if (!previous) log.info(`Image with name "${previousName}" not found`);
  const metadata = metadataOf(previous);
  if (o.restoreSbom && inputs.since('0.8')) await restoreSbom(previous, metadata, o);
  const run = await chooseRunImage(output, o);
  const target = inputs.since('0.12') ? imageTarget(run.image.config) : undefined;
  const analyzed: Analyzed = {
    previousImage: previous?.reference,
    metadata,
    runImage: {
      reference: run.image.reference,
      image: inputs.since('0.12') ? run.name : undefined,
      extend: false,
      target,
    },
  };
  writeText(inputs.path('analyzed'), encodeAnalyzed(analyzed));
  return analyzed;
}

/** What the label of the image before says; nothing where it says nothing that can be read. */
function metadataOf(previous: OpenImage | undefined): LifecycleMetadata {
  const label = previous?.labels[LABELS.lifecycleMetadata];
  const found = label === undefined ? undefined : parseLifecycleMetadata(label);
  if (!found) return EMPTY_LIFECYCLE_METADATA;
  // analyzed.toml has no place for the label of its own.
  return { ...found, execEnv: previous?.labels[LABELS.execEnv] ?? found.execEnv };
}

/** `<layers>/sbom` of the image before. What cannot be had is no reason to stop: restorer and builder begin anew. */
async function restoreSbom(
  previous: OpenImage | undefined,
  metadata: LifecycleMetadata,
  c: PhaseContext,
): Promise<void> {
  const sha = metadata.sbom?.sha ?? '';
  const folder = `${c.inputs.path('layers')}/sbom`;
  rmSync(folder, { recursive: true, force: true });
  if (!previous || sha === '') return;
  const layer = await previous.layer(sha, c);
  if (!layer) return;
  c.log.info('Restoring data for SBOM from previous image');
  const store = await c.store();
  const descriptor = await layer.descriptor(c);
  await store.put(await layer.compressed(c), { mediaType: descriptor.mediaType, expect: descriptor, signal: c.signal });
  await importLayer(store, { descriptor, diffId: sha as Digest }, c);
  await extractBelow(await openLayer(store, sha as Digest, c), folder, c);
}
