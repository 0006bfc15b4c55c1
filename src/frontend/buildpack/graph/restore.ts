import type { Wait } from '../../../base/index.ts';
import type { Digest } from '../../../blob/index.ts';
import { State, type FileAction } from '../../../graph/index.ts';
import type { FrontendHost } from '../../index.ts';
import { planRestore, planSbomRestore } from '../environment/index.ts';
import { EMPTY_CACHE_METADATA, EMPTY_LIFECYCLE_METADATA, encodeLayerToml, encodeStoreToml } from '../model/index.ts';
import type { CacheMetadata, GroupElement, LifecycleMetadata } from '../model/types.ts';
import { PLATFORM_API } from './export-app.ts';
import type { EarlierImage } from './previous.ts';
import { filesOf } from './ref-files.ts';
import { emptyFolder, layersFolder, ownerOf, type StepSetting } from './steps.ts';

export interface RestoreFrom {
  /** Of the previous image. */
  readonly previous?: LifecycleMetadata | undefined;
  readonly cache?: { readonly image: EarlierImage; readonly metadata: CacheMetadata } | undefined;
}

/** What each buildpack of the group finds in its folder of layers, by its id: a tree with that folder (platform.md, restorer). Layers are those of the cache, as they are; nothing is fetched before somebody looks. */
export async function restoreLayers(
  host: FrontendHost,
  group: readonly GroupElement[],
  o: StepSetting & RestoreFrom & Wait,
): Promise<ReadonlyMap<string, State>> {
  const { builder, options, cache } = o;
  const plan = planRestore({
    group,
    app: o.previous ?? EMPTY_LIFECYCLE_METADATA,
    cache: cache?.metadata ?? EMPTY_CACHE_METADATA,
    platformApi: PLATFORM_API,
    execEnv: options.execEnv,
  });
  const sboms = await sbomFiles(host, group, o);
  const owner = ownerOf(builder);
  const file = (path: string, content: string): FileAction => ({
    kind: 'mkfile',
    path,
    mode: 0o644,
    content,
    owner,
    mtime: 0,
  });
  return host.task('[restore] layers of the build before', async (say) => {
    for (const { level, text } of plan.lines) if (level === 'info') say(text);
    const folders = group.map((element): [string, State] => {
      const folder = layersFolder(element.id);
      const mine = plan.layers.filter(({ buildpack }) => buildpack.id === element.id);
      const contents = mine.flatMap((layer) =>
        layer.action === 'contents' && cache ? [cache.image.layer(layer.sha as Digest)] : [],
      );
      const files = [
        ...mine.flatMap((layer) =>
          layer.action === 'metadata' || layer.action === 'contents'
            ? [file(`${folder}/${layer.layer}.toml`, encodeLayerToml(layer.metadata))]
            : [],
        ),
        ...plan.stores
          .filter(({ buildpack }) => buildpack.id === element.id)
          .map(({ metadata }) => file(`${folder}/store.toml`, encodeStoreToml(metadata))),
        ...sboms.filter(({ path }) => path.startsWith(`${folder}/`)).map(({ path, content }) => file(path, content)),
      ];
      const label = { name: `[restore] layers of ${element.id}@${element.version}`, group: 'restore' };
      const below = State.merge([emptyFolder(folder, builder), ...contents], { ...label, internal: true });
      return [element.id, files.length > 0 ? below.file(files, [], label) : below];
    });
    return new Map(folders);
  });
}

/** SBOM files of the cache, at the paths where buildpacks look for them. */
async function sbomFiles(
  host: FrontendHost,
  group: readonly GroupElement[],
  { cache, signal }: RestoreFrom & Wait,
): Promise<readonly { readonly path: string; readonly content: string }[]> {
  const sha = cache?.metadata.sbom?.sha;
  if (!cache || !sha) return [];
  const files = await filesOf(host, cache.image.layer(sha as Digest), { signal });
  const copies = await planSbomRestore(files, { group, layersDir: '/layers', signal });
  return Promise.all(
    copies.map(async ({ from, to }) => ({
      path: to,
      content: Buffer.from((await files.read(from, { signal })) ?? '').toString(),
    })),
  );
}
