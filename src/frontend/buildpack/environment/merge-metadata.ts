import { apiAtLeast } from '../model/api.ts';
import { encodeLegacyBom } from '../model/build-metadata.ts';
import type {
  ApiVersion,
  BomEntry,
  BuildMetadata,
  BuiltBuildpack,
  GroupElement,
  Process,
  Requirement,
} from '../model/types.ts';

const BOM_WARNING =
  'BOM table is deprecated in this buildpack api version, though it remains supported for backwards compatibility. Buildpack authors should write BOM information to <layer>.sbom.<ext>, launch.sbom.<ext>, or build.sbom.<ext>.';

export interface MergedBuild {
  readonly metadata: BuildMetadata;
  readonly warnings: readonly string[];
  /** Files that every build writes beside the SBOM files of its buildpacks, by path: the deprecated bill of materials. */
  readonly sbomFiles: readonly { readonly path: string; readonly content: string }[];
}

/**
 * All buildpacks of a build in one (platform.md, builder): processes by type (the last definition wins), the default one (the last `default = true`, until a later process of that type is not the default),
 * labels and slices in order.
 */
export function mergeMetadata(
  built: readonly BuiltBuildpack[],
  o: { extensions: readonly GroupElement[]; platformApi: ApiVersion; layersDir: string },
): MergedBuild {
  const warnings = built.flatMap((buildpack) => buildpack.warnings ?? []);
  const { processes, defaultProcess } = mergeProcesses(built, warnings);
  const bom = (of: (buildpack: BuiltBuildpack) => readonly Requirement[] | undefined): readonly BomEntry[] =>
    built.flatMap((buildpack) => (of(buildpack) ?? []).map((entry) => withBuildpack(entry, buildpack.element)));
  const launchBom = bom(({ launch }) => launch.bom);
  const buildBom = bom((buildpack) => buildpack.buildBom);
  for (const { launch, buildBom: ofBuild, sbom } of built)
    if ((launch.bom ?? []).length + (ofBuild ?? []).length > 0 && (sbom ?? []).length === 0) warnings.push(BOM_WARNING);
  const legacyFiles = apiAtLeast(o.platformApi, '0.9');
  return {
    metadata: {
      buildpacks: built.map(({ element }) => element),
      extensions: o.extensions,
      processes,
      slices: built.flatMap(({ launch }) => launch.slices),
      labels: built.flatMap(({ launch }) => launch.labels),
      defaultProcess,
      bom: legacyFiles ? undefined : launchBom,
    },
    warnings,
    sbomFiles: legacyFiles
      ? [
          { path: `${o.layersDir}/sbom/launch/sbom.legacy.json`, content: encodeLegacyBom(launchBom) },
          { path: `${o.layersDir}/sbom/build/sbom.legacy.json`, content: encodeLegacyBom(buildBom) },
        ]
      : [],
  };
}

function mergeProcesses(
  built: readonly BuiltBuildpack[],
  warnings: string[],
): { readonly processes: readonly Process[]; readonly defaultProcess: string | undefined } {
  const byType = new Map<string, Process>();
  let defaultProcess: string | undefined;
  for (const { launch } of built) {
    let warning: string | undefined;
    for (const process of launch.processes) {
      if (process.isDefault) {
        defaultProcess = process.type;
        warning = undefined;
      } else if (process.type === defaultProcess) {
        defaultProcess = undefined;
        warning = `Warning: redefining the following default process type with a process not marked as default: ${process.type}`;
      }
      byType.set(process.type, { ...process, isDefault: false });
    }
    if (warning !== undefined) warnings.push(warning);
  }
  const processes = [...byType.values()].sort((a, b) => (a.type < b.type ? -1 : 1));
  return { processes, defaultProcess };
}

const withBuildpack = (entry: Requirement, { id, version }: GroupElement): BomEntry => ({
  ...entry,
  buildpack: { id, version },
});
