import { copyFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { makeFolder } from '../../../base/index.ts';
import { appFacts } from '../../../frontend/buildpack/index.ts';
import { fileSink, type Engine } from '../../../engine/index.ts';
import { chooseImage, configOf, hostPlatform } from '../../../image/index.ts';
import { extractTree, tarFileTree } from '../../../tree/index.ts';
import { cliError } from '../errors.ts';
import { hostCredentials } from '../local-host.ts';
import type { CliContext } from '../command.ts';
import { engineFor, lazyCredentials } from '../settings.ts';
import { isPlace } from './write-image.ts';

export interface SbomFlags {
  readonly remote?: boolean;
  readonly outputDir: string;
}

/** `strake sbom download`: the layer with the SBOMs of an app image, and no other, unpacked below a folder. */
export async function downloadSbom(name: string, flags: SbomFlags, c: CliContext): Promise<void> {
  const { io } = c;
  await using engine = await engineFor(c.settings);
  const location = isPlace(name) ? name : `${flags.remote ? 'docker://' : 'store:'}${name}`;
  for (const path of await writeSbom(location, { engine, name, folder: resolve(io.cwd, flags.outputDir), c }))
    io.stdout.write(`${join(flags.outputDir, path)}\n`);
}

/** Unpacks that layer, `strip` folders of its paths left out; gives the paths of the files. */
export async function writeSbom(
  location: string,
  o: {
    readonly engine: Engine;
    readonly name: string;
    readonly folder: string;
    readonly strip?: number;
    readonly c: CliContext;
  },
): Promise<readonly string[]> {
  const { name, folder, strip = 0 } = o;
  const { io, signal } = o.c;
  await using shop = await o.engine.workshop({ host: { credentials: hostCredentials(lazyCredentials(io)) } });
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
  const tree = await tarFileTree(tar, { signal });
  const files = (await tree.entries({ signal })).filter(({ type }) => type === 'file');
  const paths = files.map(({ path }) => path.split('/').slice(strip).join('/'));
  if (strip === 0) await extractTree(tree, folder, { signal });
  else {
    const whole = join(shop.scratch, 'sbom');
    await extractTree(tree, whole, { signal });
    for (const [at, { path }] of files.entries()) {
      const to = join(folder, paths[at] ?? '');
      makeFolder(dirname(to));
      copyFileSync(join(whole, path), to);
    }
  }
  return paths;
}
