import { buildpackError } from '../errors.ts';
import { escapeId } from '../model/ids.ts';
import type { BuiltLayer, GroupElement, SbomFile } from '../model/types.ts';

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  cdx: 'application/vnd.cyclonedx+json',
  spdx: 'application/spdx+json',
  syft: 'application/vnd.syft+json',
};

/**
 * The SBOM files of a buildpack (`launch.sbom.<ext>`, `build.sbom.<ext>`, `<layer>.sbom.<ext>`) and where each is copied (buildpack.md, Software-Bill-of-Materials; platform.md, builder): a layer's
 * to `launch` or else `build`, and to `cache` too where the layer is cached. Those of a layer that is not there are passed over. Throws CNB_FILE_INVALID for a format that nobody knows or
 * that the buildpack did not declare.
 */
export function sbomFilesOf(o: {
  readonly layersDir: string;
  readonly folder: string;
  readonly names: readonly string[];
  readonly element: GroupElement;
  readonly layers: readonly BuiltLayer[];
  readonly sbomFormats: readonly string[];
}): readonly SbomFile[] {
  const declared = o.sbomFormats.map((format) => (format.split(';')[0] ?? '').trim().toLowerCase());
  return o.names.flatMap((name) => {
    const match = /^(.+)\.sbom\.(.*)\.json$/.exec(name);
    if (!match) return [];
    const [, owner = '', format = ''] = match;
    const kinds = kindsOf(owner, o.layers);
    if (kinds.length === 0) return [];
    const from = `${o.folder}/${name}`;
    const mediaType = MEDIA_TYPES[format];
    if (mediaType === undefined)
      throw buildpackError('CNB_FILE_INVALID', `read "${from}": its SBOM format "${format}" is not supported`, {
        remedy: 'Write CycloneDX (cdx), SPDX (spdx) or Syft (syft).',
      });
    if (!declared.includes(mediaType))
      throw buildpackError('CNB_FILE_INVALID', `read "${from}": SBOM media type "${mediaType}" is not declared`, {
        remedy: 'Name it in "sbom-formats" of the buildpack.toml.',
      });
    const layer = owner === 'launch' || owner === 'build' ? '' : `${owner}/`;
    return kinds.map((kind) => ({
      from,
      to: `${o.layersDir}/sbom/${kind}/${escapeId(o.element.id)}/${layer}sbom.${format}.json`,
    }));
  });
}

function kindsOf(owner: string, layers: readonly BuiltLayer[]): readonly string[] {
  if (owner === 'launch' || owner === 'build') return [owner];
  const layer = layers.find(({ name }) => name === owner);
  if (layer === undefined) return [];
  return [layer.toml.launch ? 'launch' : 'build', ...(layer.toml.cache ? ['cache'] : [])];
}
