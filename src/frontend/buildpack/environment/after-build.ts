import type { Wait } from '../../../base/index.ts';
import { escapeId } from '../model/ids.ts';
import type { BuiltBuildpack, Files } from '../model/types.ts';
import { addRootFolders, applyEnvFiles, readEnvFolder, type Variables } from './variables.ts';

/**
 * The variables as the next buildpack finds them: for each build layer of the one that just ran, by name, its folders, then its `env`, then its `env.build` (buildpack.md, Environment).
 * `layersDir` is `/layers`.
 */
export async function variablesAfter(
  variables: Variables,
  o: { files: Files; layersDir: string; built: BuiltBuildpack } & Wait,
): Promise<Variables> {
  const { files, built } = o;
  let result = variables;
  for (const { name, toml } of built.layers) {
    if (!toml.build) continue;
    const layer = `${o.layersDir}/${escapeId(built.element.id)}/${name}`;
    result = await addRootFolders(result, { files, layer, signal: o.signal });
    for (const folder of ['env', 'env.build'])
      result = applyEnvFiles(result, {
        files: await readEnvFolder(files, `${layer}/${folder}`, o),
        default: 'override',
      });
  }
  return result;
}
