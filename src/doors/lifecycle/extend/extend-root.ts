import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Wait } from '../../../base/index.ts';
import type { Engine } from '../../../engine/index.ts';
import { applyDockerfiles, readGenerated, type Applied, type BuildArg } from '../../../frontend/buildpack/index.ts';
import type { Frontend, PlannedImage } from '../../../frontend/index.ts';
import { sourceState } from '../../../graph/index.ts';
import {
  canonicalReference,
  configOf,
  formatPlatform,
  makeImage,
  parseConfig,
  parseReference,
  type ImageConfig,
  type Layer,
} from '../../../image/index.ts';
import { guardedHere, type GuardedPaths } from '../../../snapshot/index.ts';
import { composeTree, folderSource, walkFolder, writeLayer, type FileTree } from '../../../tree/index.ts';
import { engineFor, localHost } from '../../cli/index.ts';
import type { PhaseContext } from '../context.ts';
import { needText } from '../disk-files.ts';
import { layerOfStore } from '../write-layers.ts';
import { KANIKO } from './base-cache.ts';

/** A Dockerfile on this machine's disk. */
export interface FoundDockerfile {
  readonly id: string;
  readonly path: string;
  readonly context: string;
  readonly args: readonly BuildArg[];
}

/** What Dockerfiles made of this container's root; good as long as the engine that made it is open. */
export interface ExtendedRoot extends Pick<Applied, 'created' | 'rebasable'> {
  readonly engine: Engine;
  readonly config: ImageConfig;
  /** On top of what there was. */
  readonly layers: readonly Layer[];
  readonly guard: GuardedPaths;
}

const NAME = 'strake.local/container-root:latest';
/** Times in layers, as everywhere in what the lifecycle makes: 1980-01-01T00:00:01Z. */
const EPOCH = 315_532_801;
const NOBODY = { credentials: async () => undefined };

/**
 * Applies Dockerfiles to this container's own root file system, of which nothing is known but that it is the image with this config: it is taken as that image's only layer, the steps run in place, and the root is left as the last of them left it.
 * `use` gets what came of it. Only for root.
 */
export async function extendRoot<T>(
  c: PhaseContext,
  o: { dockerfiles: readonly FoundDockerfile[]; config: ImageConfig; scratch: string; network?: string | undefined },
  use: (extended: ExtendedRoot) => Promise<T>,
): Promise<T> {
  const { inputs, io, platform, signal } = c;
  const root = storeFolder(c, o.scratch);
  const own = ['app', 'layers', 'platform', 'generated', 'extended'].map((name) => inputs.path(name));
  const guarded = [...own, '/cnb', '/strake', KANIKO, o.scratch, root].filter((path) => path !== '' && path !== '/');
  const guard = guardedHere(guarded);
  const taken: { tar?: string } = {};
  await using engine = await engineFor({
    root,
    project: o.scratch,
    ground: 'in-place',
    guarded,
    adopted: () => taken.tar,
    force: true,
    insecure: [],
  });
  markStore(root);
  await using shop = await engine.workshop({ host: NOBODY });
  c.log.debug('Reading the root file system to extend');
  const tree = await rootTree(guard, { signal });
  const layer = await writeLayer(tree, { store: shop.store, dialect: 'oci', signal });
  shop.spare(layer.diffId);
  taken.tar = shop.store.pathOf(layer.diffId);
  const base: ImageConfig = {
    ...o.config,
    rootfs: { type: 'layers', diff_ids: [layer.diffId] },
    history: [{ created_by: 'the root file system' }],
  };
  const reference = canonicalReference(parseReference(NAME));
  await shop.write(
    `store:${NAME}`,
    makeImage({ config: base, layers: [layerOfStore(shop.store, layer)], mediaTypes: 'oci' }),
    { signal },
  );
  let applied: Applied | undefined;
  const frontend: Frontend = async (_request, host, w) => {
    const resolved = await host.resolve(
      { kind: 'source', source: { type: 'image', reference, platform, pull: 'never' } },
      w,
    );
    const state = sourceState(resolved.source.source, { name: '[internal] the root file system', internal: true });
    const config = parseConfig(resolved.config ?? Buffer.from('{}'));
    const start: PlannedImage = {
      platform,
      layers: [{ kind: 'base', image: state }],
      root: state,
      config,
      baseHistory: 1,
      attestations: [],
    };
    const local = (name: string, what: string): typeof state =>
      sourceState({ type: 'local', name }, { name: `[internal] load ${what}`, internal: true });
    const [uid = '', gid = ''] = (o.config.config?.User ?? '').split(':');
    applied = await applyDockerfiles(host, start, {
      dockerfiles: o.dockerfiles.map(({ id, path, args }, at) => ({
        id,
        tree: local(`dockerfile-${at}`, `Dockerfile of ${id}`),
        file: path.slice(path.lastIndexOf('/') + 1),
        context: local(`context-${at}`, `build context of ${id}`),
        args,
        from: readGenerated(needText(path, 'a Dockerfile'), {
          file: path,
          kind: inputs.text('kind') === 'run' ? 'run' : 'build',
        }).from,
      })),
      ids: { uid, gid },
      buildId: io.random.hex(16),
      network: o.network,
      signal: w?.signal,
    });
    return { results: new Map([[formatPlatform(platform), applied.image]]), metadata: new Map() };
  };
  const request = {
    frontend: 'extensions',
    options: {},
    platforms: [platform],
    exports: [{ type: 'store' as const, names: [] }],
    allow: ['network.host'],
    annotations: [],
    epoch: EPOCH,
    rewriteTimestamp: true,
  };
  const files = new Map(
    o.dockerfiles.flatMap(({ path, context }, at) => [
      [`dockerfile-${at}`, folderSource(dirname(path))] as const,
      [`context-${at}`, folderSource(context)] as const,
    ]),
  );
  const host = localHost({
    files,
    secrets: new Map(),
    agents: new Map(),
    sinks: new Map(),
    credentials: NOBODY.credentials,
    env: {},
    random: io.random,
  });
  let imageId: string | undefined;
  const names = new Map<string, string>();
  for await (const event of engine.drive(frontend, request, host, { signal })) {
    if (event.kind === 'log') process[event.stream].write(event.chunk);
    if (event.kind === 'vertex' && event.internal !== true) names.set(event.id, event.name);
    if (event.kind === 'started' && names.has(event.id)) c.log.info(names.get(event.id) ?? '');
    if (event.kind === 'cached' && names.has(event.id)) c.log.info(`${names.get(event.id)} (cached)`);
    if (event.kind === 'result') imageId = event.result.images[0]?.imageId;
  }
  if (imageId === undefined || !applied) throw new TypeError('extend: the build came to no image');
  const image = await shop.open(`store:${imageId}`, { signal });
  if (image.kind !== 'image') throw new TypeError('extend: the build came to several images');
  const config = await configOf(image, { signal });
  const layers = (await image.layers({ signal })).slice(1);
  const { created, rebasable } = applied;
  return await use({ engine, config, layers, guard, created, rebasable });
}

/** This container's root but for what is guarded: the same for each container of an image. Makers of containers add folders to mount things on, and links; only the times of those tell when. */
async function rootTree(guard: GuardedPaths, w: Wait): Promise<FileTree> {
  const tree = await walkFolder('/', { exclude: [...guard.paths].map(escaped), ...w });
  return composeTree(
    (await tree.entries(w)).map((entry) => ({
      entry:
        entry.type === 'symlink' || guard.at(entry.path) === 'holder' ? { ...entry, mtime: EPOCH, mtimeNs: 0 } : entry,
      from: entry.type === 'file' ? { tree, entry } : undefined,
    })),
  );
}

/** Of steps that earlier builds ran, in the volume that is kept between them; emptied when it is older than -kaniko-cache-ttl. */
function storeFolder({ inputs, io }: PhaseContext, scratch: string): string {
  if (!existsSync(KANIKO)) return join(scratch, 'store');
  const folder = `${KANIKO}/strake`;
  const mark = `${folder}/since`;
  const since = statSync(mark, { throwIfNoEntry: false })?.mtimeMs;
  if (since !== undefined && io.clock.now() - since > goDuration(inputs.text('kaniko-cache-ttl')))
    rmSync(folder, { recursive: true, force: true });
  return folder;
}

/** Milliseconds of a duration as Go writes it ("336h", "1h30m"); NaN for what is none. */
export function goDuration(text: string): number {
  const units: Readonly<Record<string, number>> = {
    h: 3_600_000,
    m: 60_000,
    s: 1000,
    ms: 1,
    us: 1e-3,
    µs: 1e-3,
    ns: 1e-6,
  };
  if (!/^(?:\d+(?:\.\d*)?(?:h|ms|m|s|us|µs|ns))+$/.test(text)) return text === '0' ? 0 : NaN;
  let sum = 0;
  for (const [, number = '', unit = ''] of text.matchAll(/(\d+(?:\.\d*)?)(h|ms|m|s|us|µs|ns)/g))
    sum += Number(number) * (units[unit] ?? NaN);
  return sum;
}

/** When what the store holds was begun. */
function markStore(folder: string): void {
  const mark = `${folder}/since`;
  if (!existsSync(mark)) writeFileSync(mark, '');
}

const escaped = (path: string): string => path.replaceAll(/[\\*?[\]!#]/g, String.raw`\$&`);
