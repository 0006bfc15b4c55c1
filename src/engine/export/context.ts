import { throwIfCancelled, type Clock, type Random, type Wait } from '../../base/index.ts';
import type { Descriptor, Platform } from '../../blob/index.ts';
import { toldWork } from '../../frontend/index.ts';
import {
  formatPlatform,
  makeImage,
  makeIndex,
  type Image,
  type Index,
  type IndexMember,
  type Layer,
  type MediaFamily,
} from '../../image/index.ts';
import { GZIP, NONE, ZSTD, type Codec } from '../../tree/index.ts';
import type { LayerAccess, Session, Worker } from '../../worker/index.ts';
import type { BuiltImage } from '../built-image.ts';
import type { BuildEvent, BuildRequest, ImageMetadata } from '../builder.ts';
import type { Compression } from '../compression.ts';
import { layerIn } from '../layer-in.ts';

/** What exporters work with. */
export interface ExportContext extends Wait {
  /** Position among the request's exports. */
  readonly at: number;
  /** An index is to be written, though it may be one of a single platform. */
  readonly index: boolean;
  readonly request: BuildRequest & ImageMetadata;
  readonly session: Session;
  readonly worker: Worker;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: (event: BuildEvent) => void;
  /** What is written beside the results goes by this name. */
  readonly beside?: string | undefined;
}

/** What one export wrote: an image or index by descriptor, under names. */
export interface Exported {
  readonly descriptor?: Descriptor | undefined;
  readonly names: readonly string[];
}

/** What an export is called in the events of its build. */
export function idOf(c: ExportContext): string {
  const e = c.request.exports[c.at];
  return `export ${c.beside ?? c.at + 1} ${e?.type ?? ''}`;
}

/** Tells of one piece of work of an export as a vertex of its own. */
export async function told<T>(
  name: string,
  c: ExportContext,
  work: (note: (text: string) => void) => Promise<T>,
): Promise<T> {
  const id = idOf(c);
  const { emit, clock } = c;
  throwIfCancelled(c);
  emit({ kind: 'vertex', id, name: c.beside ?? name, inputs: [] });
  return toldWork(id, c, () => work((text) => emit({ kind: 'note', id, at: clock.now(), text })));
}

/** The pinned codec that a compression asked for by name comes to; gzip where nothing was asked. */
export function codecFor(compression: Compression | undefined): Codec {
  const { name = 'gzip', level } = compression ?? {};
  const codec = { gzip: GZIP, zstd: ZSTD, none: NONE }[name];
  // Of zstd 0 is the default, as its own library has it.
  return level === undefined || (name === 'zstd' && level === 0) ? codec : { ...codec, level };
}

export function accessFor(c: ExportContext): LayerAccess {
  const id = idOf(c);
  return c.worker.access(c.session, {
    signal: c.signal,
    onProgress: (item, current, total) =>
      c.emit({
        kind: 'progress',
        id,
        at: c.clock.now(),
        progress: { item, current, total, unit: 'bytes', done: current >= total },
      }),
  });
}

export interface FormOptions {
  readonly codec: Codec;
  /** Layers that came in another compression are compressed anew. */
  readonly force?: boolean | undefined;
  readonly family: MediaFamily;
  readonly context: ExportContext;
}

/** How an export asks for its layers. */
export function formOf(
  compression: Compression | undefined,
  o: { readonly family: MediaFamily; readonly context: ExportContext },
): FormOptions {
  return { codec: codecFor(compression), force: compression?.force, ...o };
}

/** One platform as an image value. */
export async function imageOf(built: BuiltImage, o: FormOptions): Promise<Image> {
  const { codec, force = false, family, context } = o;
  const { worker } = context;
  const annotations = annotationsAt('manifest', context, built.plan.platform);
  const how = { force, worker, images: worker.imagesFor(context.session), access: accessFor(context) };
  const layers: Layer[] = [];
  for (const layer of built.layers) layers.push(await layerIn(codec, layer, how));
  return makeImage({
    config: built.config,
    layers,
    mediaTypes: family,
    annotations: Object.keys(annotations).length > 0 ? annotations : undefined,
  });
}

export interface ValueOptions extends FormOptions {
  /** What the images are called where they go. */
  readonly names: readonly string[];
  readonly artifact?: boolean | undefined;
  /** False: statements that are for images only make no index of a single image. */
  readonly inline?: boolean | undefined;
}

/** All platforms as one value: an image, or an index of several, or of one and what is said about it. */
export async function valueOf(built: readonly BuiltImage[], o: ValueOptions): Promise<Image | Index> {
  const images: Image[] = [];
  for (const one of built) images.push(await imageOf(one, o));
  const [only] = images;
  const annotations = annotationsAt('index', o.context);
  const isIndex = o.context.index || Object.keys(annotations).length > 0 || saysMore(built, o);
  if (images.length === 1 && only && !isIndex) return only;
  const members: IndexMember[] = images.map((image, at) => ({
    image,
    platform: built[at]?.plan.platform,
    annotations: annotationsAt('manifest-descriptor', o.context, built[at]?.plan.platform),
  }));
  return makeIndex([...members, ...(await attestationsOf(built, images, o))], { mediaTypes: o.family, annotations });
}

/** Docker's own media types have no place for what is said. */
function saysMore(built: readonly BuiltImage[], o: ValueOptions): boolean {
  if (o.family === 'docker') return false;
  return built.some(({ statements }) => statements.some(({ inlineOnly }) => o.inline !== false || !inlineOnly));
}

/** What is said about the images, each as a member that comes after them. */
async function attestationsOf(
  built: readonly BuiltImage[],
  images: readonly Image[],
  o: ValueOptions,
): Promise<readonly IndexMember[]> {
  if (o.family === 'docker' || built.every(({ statements }) => statements.length === 0)) return [];
  const { attestationMember } = await import('../../supply/index.ts');
  const members: IndexMember[] = [];
  for (const [at, { plan, statements }] of built.entries()) {
    const image = images[at];
    if (!image || statements.length === 0) continue;
    const { names, artifact } = o;
    members.push(
      await attestationMember(image, {
        platform: plan.platform,
        names,
        statements,
        artifact,
        signal: o.context.signal,
      }),
    );
  }
  return members;
}

/** The annotations of a level, without those of other platforms. */
export function annotationsAt(level: string, { request }: ExportContext, platform?: Platform): Record<string, string> {
  const isFor = (one: Platform | undefined): boolean =>
    one === undefined || platform === undefined || formatPlatform(one) === formatPlatform(platform);
  return Object.fromEntries(
    request.annotations.filter((one) => one.level === level && isFor(one.platform)).map((one) => [one.key, one.value]),
  );
}
