import { kindOf, messageOf, tap, type Wait } from '../base/index.ts';
import { algorithmOf, Digester, digestOf, type Descriptor } from '../blob/index.ts';
import { decompressed } from '../tree/index.ts';
import { parseConfig } from './config-codec.ts';
import { manifestOf } from './image-from.ts';
import type { Image, Layer } from './image.ts';
import { isConfigType, isLayerType } from './media-types.ts';
import { scanTar } from './tar-scan.ts';

/**
 * Everything that must hold of an image, checked: returns what does not, one sentence each. With `layers` each layer is read once: digest and size of the blob, digest of what is in it, and that it is a tar. Throws only when
 * something cannot be reached or the signal fires.
 */
export async function validateImage(
  image: Image,
  o: { layers?: boolean | undefined } & Wait = {},
): Promise<readonly string[]> {
  const problems: string[] = [];
  try {
    const manifest = await manifestOf(image, o);
    await checkConfig(image, problems, o);
    const layers = await image.layers(o);
    if (layers.length !== manifest.layers.length)
      problems.push(`the manifest has ${manifest.layers.length} layers, the image gives ${layers.length}`);
    for (const [at, layer] of layers.entries()) {
      const descriptor = await layer.descriptor(o);
      const listed = manifest.layers[at];
      if (
        listed &&
        (listed.digest !== descriptor.digest ||
          listed.size !== descriptor.size ||
          listed.mediaType !== descriptor.mediaType)
      )
        problems.push(`layer ${at + 1}: the manifest names ${listed.digest}, the image gives ${descriptor.digest}`);
      if (o.layers)
        problems.push(...(await checkLayer(layer, descriptor, o)).map((text) => `layer ${at + 1}: ${text}`));
    }
  } catch (error) {
    problems.push(finding(error));
  }
  return problems;
}

async function checkConfig(image: Image, problems: string[], w: Wait): Promise<void> {
  const { config: descriptor, layers } = await manifestOf(image, w);
  const bytes = await image.config(w);
  if (bytes.length !== descriptor.size)
    problems.push(`config: ${bytes.length} bytes, the manifest says ${descriptor.size}`);
  if (descriptor.digest.startsWith('sha256:') && digestOf(bytes) !== descriptor.digest)
    problems.push(`config: its digest is ${digestOf(bytes)}, the manifest says ${descriptor.digest}`);
  if (!isConfigType(descriptor.mediaType)) return;
  const { architecture, os, rootfs, history } = parseConfig(bytes);
  if (os === '' || architecture === '') problems.push('config: the platform is missing');
  if (rootfs.diff_ids.length !== layers.length)
    problems.push(`config: ${rootfs.diff_ids.length} diffIDs for ${layers.length} layers`);
  const made = history?.filter((entry) => entry.empty_layer !== true).length ?? layers.length;
  if (history && history.length > 0 && made !== layers.length)
    problems.push(`config: its history makes ${made} layers, there are ${layers.length}`);
}

async function checkLayer(layer: Layer, descriptor: Descriptor, w: Wait): Promise<readonly string[]> {
  const problems: string[] = [];
  const outer = new Digester(algorithmOf(descriptor.digest));
  const isTar = isLayerType(descriptor.mediaType);
  try {
    const diffId = await layer.diffId(w);
    const inner = new Digester(algorithmOf(diffId));
    const blob = tap(await layer.compressed(w), (chunk) => outer.update(chunk));
    const content = tap(isTar ? await decompressed(blob, { what: 'read layer', ...w }) : blob, (chunk) =>
      inner.update(chunk),
    );
    for await (const _ of isTar ? scanTar(content, 'layer') : content);
    if (outer.size !== descriptor.size) problems.push(`${outer.size} bytes, its descriptor says ${descriptor.size}`);
    const digest = outer.digest();
    if (digest !== descriptor.digest)
      problems.push(`its digest is ${digest}, its descriptor says ${descriptor.digest}`);
    const found = inner.digest();
    if (found !== diffId) problems.push(`its content has digest ${found}, its diffID is ${diffId}`);
  } catch (error) {
    problems.push(finding(error));
  }
  return problems;
}

/** What an error says about the image; an error that says nothing about it is thrown on. */
function finding(error: unknown): string {
  if (!['invalid', 'failed', 'not_found', 'unsupported'].includes(kindOf(error))) throw error;
  return messageOf(error);
}
