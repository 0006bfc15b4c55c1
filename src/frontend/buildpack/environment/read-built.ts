import { hasCode, hasErrno, type Wait } from '../../../base/index.ts';
import { buildpackError } from '../errors.ts';
import { apiAtLeast } from '../model/api.ts';
import { entryKind, whyNoFile } from '../model/entry-kind.ts';
import { escapeId } from '../model/ids.ts';
import { EMPTY_BUILD, EMPTY_LAUNCH, parseBuildToml, parseLaunchToml, parseStoreToml } from '../model/launch.ts';
import { parseLayerToml } from '../model/layer.ts';
import type { BuiltBuildpack, BuiltLayer, Files, GroupElement, LaunchToml, Requirement } from '../model/types.ts';
import { sbomFilesOf } from './sbom-files.ts';

export interface ReadBuiltOptions extends Wait {
  /** `/layers`. */
  readonly layersDir: string;
  readonly element: GroupElement;
  /** Of its buildpack.toml. */
  readonly sbomFormats: readonly string[];
  /** What it was given to provide (`buildpackPlan`). */
  readonly plan: readonly Requirement[];
}

const RESERVED: ReadonlySet<string> = new Set(['launch', 'build', 'store']);

/**
 * Reads and checks what a `bin/build` left in its layers folder (buildpack.md, Phase #5): the layers (every `*.toml` but the reserved ones), launch.toml, build.toml, store.toml and SBOM files.
 * Throws CNB_FILE_INVALID with the place, INVALID_TOML.
 */
export async function readBuilt(files: Files, o: ReadBuiltOptions): Promise<BuiltBuildpack> {
  const { element } = o;
  const folder = `${o.layersDir}/${escapeId(element.id)}`;
  const entries = await files.list(folder, o);
  const names = entries.map(({ path, type }) => ({ name: path.slice(path.lastIndexOf('/') + 1), type }));
  const folders = new Set(names.filter(({ type }) => type === 'directory').map(({ name }) => name));
  const types = new Map(names.map(({ name, type }) => [name, type]));
  const text = async (name: string): Promise<string | undefined> => {
    const content = await readUnlessLoop(files, `${folder}/${name}`, o);
    if (content) return new TextDecoder().decode(content);
    const type = types.get(name);
    if (type === undefined) return undefined;
    // What was written for nobody to read would otherwise count as nothing written.
    throw buildpackError('CNB_FILE_INVALID', `read "${folder}/${name}": ${whyNoFile(type)}`, {
      remedy: `Have buildpack "${element.id}" write a regular file, or none.`,
    });
  };
  const layers: BuiltLayer[] = [];
  for (const { name: file, type } of names) {
    const name = file.slice(0, -'.toml'.length);
    if (!file.endsWith('.toml') || name === '' || RESERVED.has(name)) continue;
    // The folder of a layer may be named so itself.
    if (type === 'directory' && types.has(`${file}.toml`)) continue;
    const toml = parseLayerToml((await text(file)) ?? '', { api: element.api, file: `${folder}/${file}` });
    const found = types.get(name);
    if (found !== undefined && found !== 'directory' && (toml.launch || toml.build || toml.cache))
      throw buildpackError(
        'CNB_FILE_INVALID',
        `read layer "${folder}/${name}" of buildpack "${element.id}": it is ${entryKind(found)}, not a folder`,
        { remedy: `Have the buildpack make a folder, with what "${file}" describes in it.` },
      );
    layers.push({ name, toml, hasFolder: folders.has(name) });
  }
  layers.sort((a, b) => (a.name < b.name ? -1 : 1));
  const buildText = await text('build.toml');
  const build = buildText === undefined ? EMPTY_BUILD : parseBuildToml(buildText, `${folder}/build.toml`);
  for (const name of build.unmet)
    if (!o.plan.some((entry) => entry.name === name))
      throw buildpackError(
        'CNB_FILE_INVALID',
        `read "${folder}/build.toml": unmet.name "${name}" must match a requested dependency`,
      );
  const launchText = await text('launch.toml');
  const launch =
    launchText === undefined
      ? EMPTY_LAUNCH
      : parseLaunchToml(launchText, { buildpack: element, file: `${folder}/launch.toml` });
  const storeText = await text('store.toml');
  const sbom = sbomFilesOf({ ...o, folder, layers, names: names.map(({ name }) => name) });
  return {
    element,
    layers,
    ...withoutOldWorkingDirs(launch, element),
    unmet: build.unmet,
    store: storeText === undefined ? undefined : parseStoreToml(storeText, `${folder}/store.toml`),
    met: [...new Set(o.plan.map(({ name }) => name))].filter((name) => !build.unmet.includes(name)),
    ignored: layers
      .filter(({ toml, hasFolder }) => hasFolder && !toml.launch && !toml.build && !toml.cache)
      .map(({ name }) => name),
    sbom,
    buildBom: build.bom,
  };
}

/** A file's bytes; undefined where there is none, also at the end of links without an end. */
async function readUnlessLoop(files: Files, path: string, w: Wait): Promise<Uint8Array | undefined> {
  try {
    return await files.read(path, w);
  } catch (error) {
    if (hasCode(error, 'LINK_LOOP') || hasErrno(error, 'ELOOP')) return undefined;
    throw error;
  }
}

/** Before Buildpack API 0.8 a process had no working folder. */
function withoutOldWorkingDirs(
  launch: LaunchToml,
  element: GroupElement,
): { readonly launch: LaunchToml; readonly warnings: readonly string[] } {
  if (apiAtLeast(element.api, '0.8')) return { launch, warnings: [] };
  const warnings = launch.processes
    .filter(({ workingDir }) => workingDir !== '')
    .map(
      ({ type }) =>
        `Warning: process working directory isn't supported in this buildpack api version. Ignoring working directory for process '${type}'`,
    );
  return {
    launch: { ...launch, processes: launch.processes.map((process) => ({ ...process, workingDir: '' })) },
    warnings,
  };
}
