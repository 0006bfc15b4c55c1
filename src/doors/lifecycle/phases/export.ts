import { copyFileSync, mkdirSync } from 'node:fs';
import { kindOf, messageOf } from '../../../base/index.ts';
import type { Digest, DiskBlobStore } from '../../../blob/index.ts';
import {
  appConfig,
  cacheLog,
  cacheMetadata,
  EMPTY_CACHE_METADATA,
  encodeReport,
  exportLog,
  parseBuildMetadata,
  parseProjectMetadata,
  planCacheLayers,
  planLayers,
  readBuilt,
  type Analyzed,
  type Built,
  type BuildMetadata,
  type BuiltBuildpack,
  type CacheMetadata,
  type Files,
  type GroupElement,
  type LayerPlan,
} from '../../../frontend/buildpack/index.ts';
import { familyOf, makeImage, manifestOf, type Image, type ImageConfig, type Layer } from '../../../image/index.ts';
import type { WrittenLayer } from '../../../tree/index.ts';
import type { BuildCache } from '../cache/build-cache.ts';
import { writeText, type PhaseContext } from '../context.ts';
import { diskFiles, needText, readText } from '../disk-files.ts';
import { lifecycleError } from '../errors.ts';
import { readExtended } from '../extend/read-extended.ts';
import { savedByManifest, type OpenImage, type SavedImage } from '../images/images.ts';
import { storedLayer } from '../images/plain-layer.ts';
import { runImageEntry } from '../names.ts';
import { layerOfStore, writeLayers } from '../write-layers.ts';

export interface ExportInput {
  readonly names: readonly string[];
  readonly analyzed: Analyzed;
  readonly group: readonly GroupElement[];
  readonly cache: BuildCache | undefined;
  /** The image of the build before, where it is of use. */
  readonly previous: OpenImage | undefined;
}

/** Makes the app image of what the buildpacks left, pushes it under every name, and keeps the cache (platform.md, exporter). */
export async function exportImage(c: PhaseContext, o: ExportInput): Promise<void> {
  const { inputs, log } = c;
  const layersDir = inputs.path('layers');
  const metadataPath = `${layersDir}/config/metadata.toml`;
  const metadata = parseBuildMetadata(needText(metadataPath, 'what was built'), metadataPath);
  const files = withoutSbomAndPlan(layersDir);
  const buildpacks: BuiltBuildpack[] = [];
  for (const element of o.group)
    buildpacks.push(await readBuilt(files, { layersDir, element, sbomFormats: [], plan: [], signal: c.signal }));
  copyLauncherSbom(c);
  const built: Built = { platformApi: inputs.api, appDir: inputs.path('app'), layersDir, ...inputs.ids(), buildpacks };
  const store = await c.store();
  const run = await openRun(c, o);
  const extended = o.analyzed.runImage?.extend === true ? await readExtended(c, run.base) : undefined;
  const plans = await planLayers(
    { ...built, metadata, previous: o.analyzed.metadata },
    { files: diskFiles, signal: c.signal },
  );
  const launcher = inputs.path('launcher');
  const written = await writeLayers(plans, { store, launcher, signal: c.signal });
  const digests = digestsOf(plans, written);
  const said = {
    plans,
    metadata,
    processType: inputs.text('process-type'),
    platformApi: inputs.api,
    execEnv: inputs.execEnv,
  };
  for (const line of exportLog({ ...said, previous: o.analyzed.metadata }, digests)) log.info(line);
  const name = o.analyzed.runImage?.image ?? run.reference;
  const config = appConfig(
    {
      ...built,
      ...said,
      runImage: {
        ...runImageEntry(name, inputs),
        reference: run.reference,
        config: extended?.config ?? run.base.config,
        diffIds: run.base.config.rootfs.diff_ids,
      },
      extensions: extended?.added,
      epoch: epochOf(inputs.env['SOURCE_DATE_EPOCH']),
      project: projectOf(c),
      launcher: { version: '', repository: '', commit: '' },
    },
    digests,
  );
  const image = await imageOf(config, { ...o, plans, written, store, run: run.base, added: extended?.layers ?? [], c });
  const keep = (): Promise<void> => keepCache(c, { ...o, built, store, launcher, known: written });
  const save = (): Promise<void> => saveImage(image, { c, names: o.names, metadata });
  if (inputs.bool('parallel')) {
    const [saved, kept] = await Promise.allSettled([save(), keep()]);
    for (const one of [saved, kept]) if (one.status === 'rejected') throw one.reason;
  } else {
    await save();
    await keep();
  }
  if (c.launchCache !== undefined) await keepLaunched(c.launchCache, { c, plans, written, store });
}

/** What a builder left is checked there: SBOM files were copied, and no plan is known here. */
function withoutSbomAndPlan(layersDir: string): Files {
  return {
    ...diskFiles,
    list: async (path, w) =>
      (await diskFiles.list(path, w)).filter(
        ({ path: at }) => !(at.startsWith(`${layersDir.slice(1)}/`) && /\.sbom\.[^/]*json$/.test(at)),
      ),
    read: async (path, w) => (path.endsWith('/build.toml') ? undefined : diskFiles.read(path, w)),
  };
}

async function openRun(c: PhaseContext, { analyzed }: ExportInput): Promise<{ reference: string; base: OpenImage }> {
  const reference = analyzed.runImage?.reference || c.inputs.text('run-image') || c.inputs.text('image');
  if (reference === '')
    throw lifecycleError('LIFECYCLE_IMAGE_MISSING', 'find the run image: analyzed.toml names none', {
      remedy: 'Run the analyzer first.',
    });
  const base = await c.images.open(reference, c);
  return { reference: base.reference, base };
}

function digestsOf(
  plans: readonly LayerPlan[],
  written: ReadonlyMap<string, WrittenLayer>,
): ReadonlyMap<string, Digest> {
  return new Map(
    plans.flatMap(({ key, reuse }) => {
      const digest = written.get(key)?.diffId ?? reuse;
      return digest === undefined ? [] : [[key, digest] as const];
    }),
  );
}

/** Layers of the run image and of the image before stay where they are. */
async function imageOf(
  config: ImageConfig,
  o: {
    plans: readonly LayerPlan[];
    written: ReadonlyMap<string, WrittenLayer>;
    store: DiskBlobStore;
    run: OpenImage;
    /** What extensions put on it. */
    added: readonly Layer[];
    previous: OpenImage | undefined;
    c: PhaseContext;
  },
): Promise<Image> {
  const layers: Layer[] = [...(await o.run.image.layers(o.c)), ...o.added];
  // It is sent over a socket.
  const isDaemon = o.c.inputs.bool('daemon');
  for (const { key, reuse } of o.plans) {
    const made = o.written.get(key);
    const known = await o.previous?.layer(made?.diffId ?? reuse ?? '', o.c);
    if (known) layers.push(known);
    else if (made) layers.push(isDaemon ? storedLayer(o.store, made.diffId) : layerOfStore(o.store, made));
    else
      throw lifecycleError(
        'LIFECYCLE_IMAGE_MISSING',
        `export layer "${key}": the previous image, which has it, cannot be read any more`,
        {
          remedy: 'Run the build again.',
        },
      );
  }
  const { mediaType } = await manifestOf(o.run.image, o.c);
  return makeImage({ config, layers, mediaTypes: familyOf(mediaType) ?? 'oci' });
}

async function saveImage(
  image: Image,
  { c, names, metadata }: { c: PhaseContext; names: readonly string[]; metadata: BuildMetadata },
): Promise<void> {
  const { inputs, log, images } = c;
  const failures: { readonly name: string; readonly error: unknown }[] = [];
  const [first = ''] = names;
  let saved: SavedImage | undefined;
  for (const name of names)
    try {
      saved = await images.save(image, { name, near: first, signal: c.signal });
    } catch (error) {
      if (kindOf(error) === 'cancelled') throw error;
      failures.push({ name, error });
    }
  log.info(`*** Images (${(saved ?? (await savedByManifest(image, c))).shown}):`);
  for (const name of names) {
    const failed = failures.find((one) => one.name === name);
    log.info(`      ${name}${failed ? ` - ${messageOf(failed.error)}` : ''}`);
  }
  if (failures.length > 0)
    throw lifecycleError(
      'LIFECYCLE_SAVE_FAILED',
      `save image: ${failures.map(({ name, error }) => `"${name}": ${messageOf(error)}`).join('; ')}`,
      { cause: failures[0]!.error, remedy: 'Check the names, the login and the registry.' },
    );
  const bom = inputs.since('0.9') ? undefined : metadata.bom;
  writeText(inputs.path('report'), encodeReport({ tags: names, ...saved?.report, bom }));
}

/** What fails here is no failure of the build. */
async function keepCache(
  c: PhaseContext,
  o: ExportInput & { built: Built; store: DiskBlobStore; launcher: string; known: ReadonlyMap<string, WrittenLayer> },
): Promise<void> {
  const { cache } = o;
  if (!cache) return;
  try {
    const { layers, warnings } = await planCacheLayers(o.built, { files: diskFiles, signal: c.signal });
    for (const warning of warnings) c.log.warn(warning);
    const written = await writeLayers(layers, { ...o, signal: c.signal });
    const digests = digestsOf(layers, written);
    const before: CacheMetadata = await cache.metadata(c);
    for (const line of cacheLog(layers, { digests, previous: before })) c.log.info(line);
    const metadata = cacheMetadata(o.built, { layers, digests });
    await cache.replace(metadata, {
      layers: [...written.values()].map(({ diffId, size }) => ({ diffId, size, tar: o.store.pathOf(diffId) })),
      signal: c.signal,
    });
  } catch (error) {
    if (kindOf(error) === 'cancelled') throw error;
    c.log.warn(`Failed to export cache: ${messageOf(error)}`);
  }
}

/** Tars of the image's own layers, for when a later build wants one that it takes over: a daemon gives out whole images only. What fails here is no failure of the build. */
async function keepLaunched(
  folder: string,
  o: { c: PhaseContext; plans: readonly LayerPlan[]; written: ReadonlyMap<string, WrittenLayer>; store: DiskBlobStore },
): Promise<void> {
  const { c, store } = o;
  try {
    const { VolumeCache } = await import('../cache/volume-cache.ts');
    const cache = new VolumeCache(folder);
    const digests = [...new Set(digestsOf(o.plans, o.written).values())];
    const layers = digests.flatMap((diffId) => {
      const size = store.sizeOf(diffId);
      const known = cache.find(diffId);
      return size === undefined ? (known ? [known] : []) : [{ diffId, size, tar: store.pathOf(diffId) }];
    });
    await cache.replace(EMPTY_CACHE_METADATA, { layers, signal: c.signal });
  } catch (error) {
    if (kindOf(error) === 'cancelled') throw error;
    c.log.warn(`Failed to keep the launch cache: ${messageOf(error)}`);
  }
}

/** The launcher's SBOM files, from where the builder has them, to those of the image. */
function copyLauncherSbom({ inputs }: PhaseContext): void {
  if (!inputs.since('0.11')) return;
  const folder = inputs.path('launcher-sbom');
  for (const extension of ['cdx', 'spdx', 'syft']) {
    const from = `${folder}/launcher.sbom.${extension}.json`;
    if (readText(from) === undefined) continue;
    const to = `${inputs.path('layers')}/sbom/launch/buildpacksio_lifecycle/launcher`;
    mkdirSync(to, { recursive: true });
    copyFileSync(from, `${to}/sbom.${extension}.json`);
  }
}

function projectOf({ inputs }: PhaseContext): ReturnType<typeof parseProjectMetadata> | undefined {
  const path = inputs.path('project-metadata');
  const text = readText(path);
  return text === undefined ? undefined : parseProjectMetadata(text, path);
}

function epochOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,11}$/.test(text)) return Number(text);
  throw lifecycleError('LIFECYCLE_FLAG_INVALID', `read SOURCE_DATE_EPOCH "${text}": it is no number of seconds`, {
    remedy: 'Set it to seconds since 1970, or to nothing.',
  });
}
