import type { Wait } from '../../../base/index.ts';
import { escapeId } from '../model/ids.ts';
import type { Files, GroupElement, SbomFile } from '../model/types.ts';

/**
 * The SBOM files of the cache's and of the previous image's SBOM layer, which were extracted, and where each goes: `<layers>/sbom/{cache,launch}/<id>/<layer>/sbom.<ext>` to `<layers>/<id>/<layer>.sbom.<ext>`, for
 * buildpacks of the group that have a layers folder. Those of `launch` come last and win. `<layers>/sbom` is to be removed after it. Only with Platform API 0.8 and later.
 */
export async function planSbomRestore(
  files: Files,
  o: { layersDir: string; group: readonly GroupElement[] } & Wait,
): Promise<readonly SbomFile[]> {
  const copies: SbomFile[] = [];
  for (const kind of ['cache', 'launch'])
    for (const { id } of o.group) {
      const target = `${o.layersDir}/${escapeId(id)}`;
      if ((await files.stat(target, o))?.type !== 'directory') continue;
      const folder = `${o.layersDir}/sbom/${kind}/${escapeId(id)}`;
      for (const layer of await files.list(folder, o)) {
        if (layer.type !== 'directory') continue;
        const name = nameOf(layer.path);
        for (const file of await files.list(`${folder}/${name}`, o)) {
          const base = nameOf(file.path);
          if (file.type === 'file' && /^sbom.+json$/.test(base))
            copies.push({ from: `${folder}/${name}/${base}`, to: `${target}/${name}.${base}` });
        }
      }
    }
  return copies;
}

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
