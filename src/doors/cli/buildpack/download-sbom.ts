import { join, resolve } from 'node:path';
import { appFacts } from '../../../frontend/buildpack/index.ts';
import { fileSink } from '../../../engine/index.ts';
import { chooseImage, configOf, hostPlatform } from '../../../image/index.ts';
import { extractTree, tarFileTree } from '../../../tree/index.ts';
import { cliError } from '../errors.ts';
import { hostCredentials } from '../local-host.ts';
import type { CliContext } from '../program.ts';
import { engineFor, lazyCredentials } from '../settings.ts';
import { isPlace } from './write-image.ts';

export interface SbomFlags {
  readonly remote?: boolean;
  readonly outputDir: string;
}

/** `strake sbom download`: the layer with the SBOMs of an app image, and no other, unpacked below a folder. */
export async function downloadSbom(name: string, flags: SbomFlags, c: CliContext): Promise<void> {
  const { io, signal } = c;
  await using engine = await engineFor(c.settings);
  await using shop = await engine.workshop({ host: { credentials: hostCredentials(lazyCredentials(io)) } });
  const location = isPlace(name) ? name : `${flags.remote ? 'docker://' : 'store:'}${name}`;
  const value = await shop.open(location, { signal });
  const { image } = await chooseImage(value, hostPlatform(process), { what: name, signal });
  const { sbom } = appFacts(await configOf(image, { signal }), name);
  const layers = await image.layers({ signal });
  const ids = await Promise.all(layers.map((layer) => layer.diffId({ signal })));
  const layer = layers[ids.findIndex((id) => id === sbom)];
  if (!layer)
    throw cliError('SBOM_NONE', `download SBOM of "${name}": could not find SBoM information on it`, {
      remedy: 'Build it anew with buildpacks that say what they bring.',
    });
  const tar = join(shop.scratch, 'sbom.tar');
  await using sink = fileSink(tar, shop.random);
  for await (const chunk of await layer.uncompressed({ signal })) await sink.write(chunk);
  await sink.close();
  const folder = resolve(io.cwd, flags.outputDir);
  await extractTree(await tarFileTree(tar, { signal }), folder, { signal });
  const files = (await (await tarFileTree(tar, { signal })).entries({ signal })).filter(({ type }) => type === 'file');
  for (const { path } of files) io.stdout.write(`${join(flags.outputDir, path)}\n`);
}
