import type { Wait } from '../../../base/index.ts';
import { parseDigest } from '../../../blob/index.ts';
import { cleanPath } from '../../../tree/index.ts';
import { buildpackError } from '../errors.ts';
import { apiAtLeast, escapeId } from '../model/index.ts';
import type {
  ApiVersion,
  BuildMetadata,
  BuiltBuildpack,
  BuiltLayer,
  Files,
  GroupElement,
  LayerContent,
  LayerPlan,
  LifecycleMetadata,
} from '../model/types.ts';
import { planAppLayers } from './app-layers.ts';

/** What a build left, and where: the same for the layers of the app image and of the cache. */
export interface Built {
  readonly platformApi: ApiVersion;
  /** Absolute. */
  readonly appDir: string;
  /** Absolute. */
  readonly layersDir: string;
  /** Of the builder: whose the layers become. */
  readonly uid: number;
  readonly gid: number;
  /** In the order of the group. */
  readonly buildpacks: readonly BuiltBuildpack[];
}

export interface PlanLayersInput extends Built {
  readonly metadata: BuildMetadata;
  /** `io.buildpacks.lifecycle.metadata` of the previous image. */
  readonly previous?: LifecycleMetadata | undefined;
  /** The text of metadata.toml; absent: `<layers>/config` of the tree becomes the layer as it is. */
  readonly metadataToml?: string | undefined;
}

/**
 * The layers of an app image above those of its run image and its extensions, the lowest first (platform.md, exporter; lifecycle phase/exporter.go): launch layers in the order of the group, each buildpack's
 * sorted by `<id>:<layer>`; SBOM; app slices, app; launcher; configuration; process types, if there are any. Throws `CNB_EXPORT_FAILED` for a launch layer without a folder that is not in the previous image or is
 * to be cached, and for a process type that can be no file name; `CNB_FILE_INVALID` for a slice that is no glob.
 */
export async function planLayers(input: PlanLayersInput, o: { files: Files } & Wait): Promise<LayerPlan[]> {
  const { metadata } = input;
  const plans: LayerPlan[] = input.buildpacks.flatMap((buildpack) =>
    sorted(buildpack.layers)
      .filter(({ toml }) => toml.launch)
      .map((layer) => launchLayer(buildpack.element, layer, input)),
  );
  const sbom = await planSbomLayer(input, { ...o, folder: 'launch' });
  if (sbom) plans.push(sbom);
  plans.push(...(await planAppLayers({ ...input, slices: metadata.slices }, o)));
  plans.push({
    key: 'launcher',
    createdBy: 'Buildpacks Application Launcher',
    content: [rootFolder('/cnb'), rootFolder('/cnb/lifecycle'), { kind: 'launcher', path: LAUNCHER }],
    dialect: 'lifecycle',
  });
  plans.push(configLayer(input));
  if (metadata.processes.length > 0) plans.push(processTypes(metadata));
  return plans;
}

/** A layer of a buildpack from its folder: what leads there as it is, the rest the builder's (lifecycle layers/dir.go). */
export function folderLayer(
  element: GroupElement,
  name: string,
  { layersDir, uid, gid }: Pick<Built, 'layersDir' | 'uid' | 'gid'>,
): LayerPlan {
  const path = cleanPath(`${layersDir}/${escapeId(element.id)}/${name}`);
  return {
    key: `${element.id}:${name}`,
    createdBy: createdBy(element, name),
    content: [
      { kind: 'parents', path },
      { kind: 'tree', path, uid, gid },
    ],
    dialect: 'lifecycle',
  };
}

/** The layer of `<layers>/sbom/<folder>`, where there is one; none before Platform API 0.8. */
export async function planSbomLayer(
  { platformApi, layersDir, uid, gid }: Built,
  o: { files: Files; folder: 'launch' | 'cache' } & Wait,
): Promise<LayerPlan | undefined> {
  if (!apiAtLeast(platformApi, '0.8')) return undefined;
  const path = cleanPath(`${layersDir}/sbom/${o.folder}`);
  if ((await o.files.stat(path, o))?.type !== 'directory') return undefined;
  return {
    key: 'sbom',
    createdBy: 'Software Bill-of-Materials',
    content: [
      { kind: 'parents', path },
      { kind: 'tree', path, uid, gid },
    ],
    dialect: 'lifecycle',
  };
}

/** By name, as Go sorts: by bytes. */
export function sorted(layers: readonly BuiltLayer[]): BuiltLayer[] {
  return layers.toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
}

const LAUNCHER = '/cnb/lifecycle/launcher';

function launchLayer(element: GroupElement, layer: BuiltLayer, input: PlanLayersInput): LayerPlan {
  const { name, toml, hasFolder } = layer;
  if (hasFolder) return folderLayer(element, name, input);
  const key = `${element.id}:${name}`;
  if (toml.cache)
    throw buildpackError('CNB_EXPORT_FAILED', `export layer "${key}": it is cache=true but has no contents`, {
      remedy: `The buildpack must make the folder "${name}" of a layer that it wants to be cached.`,
    });
  const before = input.previous?.buildpacks.find(({ key }) => key === element.id)?.layers[name];
  if (!before)
    throw buildpackError(
      'CNB_EXPORT_FAILED',
      `export layer "${key}": cannot reuse it, the previous image has no metadata for layer "${key}"`,
      {
        remedy: `The buildpack must make the folder "${name}" where no earlier image has the layer; build without the previous image to see it do so.`,
      },
    );
  return {
    key,
    createdBy: createdBy(element, name),
    content: [],
    dialect: 'lifecycle',
    reuse: parseDigest(before.sha),
  };
}

function createdBy({ id, version }: GroupElement, name: string): string {
  return `Layer: '${name}', Created by buildpack: ${id}@${version}`;
}

function configLayer({ layersDir, uid, gid, metadataToml }: PlanLayersInput): LayerPlan {
  const path = cleanPath(`${layersDir}/config`);
  const parents: LayerContent = { kind: 'parents', path };
  return {
    key: 'config',
    createdBy: 'Buildpacks Launcher Config',
    content:
      metadataToml === undefined
        ? [parents, { kind: 'tree', path, uid, gid }]
        : [
            parents,
            { kind: 'folder', path, mode: 0o755, uid, gid },
            { kind: 'file', path: `${path}/metadata.toml`, mode: 0o644, uid, gid, content: metadataToml },
          ],
    dialect: 'lifecycle',
  };
}

function processTypes({ processes }: BuildMetadata): LayerPlan {
  const links = processes.map(({ type }): LayerContent => {
    if (type === '' || /[/><:|&\\]/.test(type))
      throw buildpackError(
        'CNB_EXPORT_FAILED',
        `export process type "${type}": ${type === '' ? 'it has no name' : 'its name has a character that may not be in it'}`,
        { remedy: 'Types of processes are made of letters, digits, ".", "_" and "-".' },
      );
    return { kind: 'link', path: `/cnb/process/${type}`, target: LAUNCHER, mode: 0o755, uid: 0, gid: 0 };
  });
  return {
    key: 'process-types',
    createdBy: 'Buildpacks Process Types',
    content: [rootFolder('/cnb'), rootFolder('/cnb/process'), ...links],
    dialect: 'lifecycle',
  };
}

function rootFolder(path: string): LayerContent {
  return { kind: 'folder', path, mode: 0o755, uid: 0, gid: 0 };
}
