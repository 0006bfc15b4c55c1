import { statSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode, tempFolder, type Clock, type Random, type Wait } from '../base/index.ts';
import { DiskBlobStore, type Digest, type Platform } from '../blob/index.ts';
import {
  chooseImage,
  compareImages,
  compareValues,
  formatPlatform,
  hostPlatform,
  indexManifestOf,
  isAttestation,
  manifestOf,
  parseConfig,
  parseReference,
  type Image,
  type ImageFacts,
  type ImagePart,
  type Index,
  type ValueDifference,
} from '../image/index.ts';
import {
  archiveTree,
  compareTrees,
  importLayer,
  openLayer,
  unionOf,
  viewTree,
  walkFolder,
  type EntryField,
  type FileTree,
  type TreeDifference,
} from '../tree/index.ts';
import type { Worker } from '../worker/index.ts';
import type { Location, TransferOptions } from './image-service.ts';
import { codecFor } from './export/context.ts';
import { engineError } from './errors.ts';
import type { SessionFor } from './image-operations.ts';
import { openLocation, parseLocation } from './location.ts';

/** What can be left out of a comparison. `times` stands for those of files and of images. */
export const COMPARED = [
  'files',
  'times',
  'modes',
  'owners',
  'links',
  'xattrs',
  'content',
  'config',
  'history',
  'layers',
  'annotations',
] as const;
export type Compared = (typeof COMPARED)[number];

export interface CompareOptions extends TransferOptions {
  readonly ignore?: readonly Compared[] | undefined;
  /** Of indexes only this one; all that either has by default. */
  readonly platform?: Platform | undefined;
  readonly insecure?: readonly string[] | undefined;
}

/** One thing that differs. `platform` is set where indexes are compared. */
export type ImageDifference = { readonly platform?: string | undefined } & (
  | ({ readonly part: 'files' } & TreeDifference)
  | ValueDifference
  | { readonly part: 'platforms'; readonly at: string; readonly a: unknown; readonly b: unknown }
);

const FIELDS: Partial<Record<Compared, EntryField>> = {
  times: 'time',
  modes: 'mode',
  owners: 'owner',
  links: 'links',
  xattrs: 'xattrs',
  content: 'content',
};

/** One side: images by platform, or files alone. */
interface Side extends Disposable {
  readonly value: Image | Index | FileTree;
  /** False for an image that was built here and has no manifest yet. */
  readonly hasManifest: boolean;
}

/**
 * What differs between two places where images (or plain trees of files: a folder, a tar of one) lie. Answered from tables of contents, nothing is mounted; layers of other places are read through a folder of this store's that
 * is removed again. A plain tree has files only; times of files are whole seconds where an image is on the other side, as layers have no others.
 */
export async function* compareLocations(
  a: Location,
  b: Location,
  o: { worker: Worker; sessionFor: SessionFor; clock: Clock; random: Random; scratch: string } & CompareOptions,
): AsyncGenerator<ImageDifference, void, undefined> {
  const { worker } = o;
  await using session = o.sessionFor(o.host, [...registriesOf(a, o), ...registriesOf(b, o)]);
  using temp = tempFolder(o.scratch, o.random);
  const scratch = new DiskBlobStore(temp.path, o);
  const open = (place: Location): Promise<Side> => openSide(place, { ...o, session, temp: temp.path });
  using left = await open(a);
  using right = await open(b);
  const trees = new Map<Digest, FileTree>();
  const treeOf = async (image: Image): Promise<FileTree> => {
    const layers: FileTree[] = [];
    for (const layer of await image.layers(o)) {
      const diffId = await layer.diffId(o);
      let tree = trees.get(diffId);
      if (!tree) {
        const store = worker.store.sizeOf(diffId) === undefined ? scratch : worker.store;
        if (store === scratch) {
          const descriptor = await layer.descriptor(o);
          const { mediaType } = descriptor;
          await scratch.put(await layer.compressed(o), { mediaType, expect: descriptor, signal: o.signal });
          await importLayer(scratch, { descriptor, diffId }, o);
          if (descriptor.digest !== diffId) await scratch.delete(descriptor.digest);
        }
        tree = await openLayer(store, diffId, o);
        trees.set(diffId, tree);
      }
      layers.push(tree);
    }
    return viewTree(await unionOf(layers, o));
  };
  const ignore = new Set(o.ignore);
  const fields = new Set(
    Object.entries(FIELDS).flatMap(([name, field]) => (ignore.has(name as Compared) ? field : [])),
  );
  const files = async function* (x: FileTree, y: FileTree): AsyncGenerator<ImageDifference> {
    if (ignore.has('files')) return;
    for await (const found of compareTrees(x, y, { ignore: fields, signal: o.signal }))
      yield { part: 'files', ...found };
  };
  if ('entries' in left.value || 'entries' in right.value) {
    const plain = async ({ value }: Side, place: string): Promise<FileTree> => {
      if ('entries' in value) return value;
      const { image } = await chooseImage(value, o.platform ?? hostPlatform(process), { what: place, ...o });
      return treeOf(image);
    };
    const mixed = !('entries' in left.value && 'entries' in right.value);
    const tree = async (side: Side, place: string): Promise<FileTree> =>
      mixed ? wholeSeconds(await plain(side, place)) : plain(side, place);
    yield* files(await tree(left, a), await tree(right, b));
    return;
  }
  const parts = new Set(
    (['config', 'history', 'layers', 'annotations'] satisfies ImagePart[]).filter((part) => !ignore.has(part)),
  );
  for await (const pair of pairsOf({ ...left, value: left.value }, { ...right, value: right.value }, { a, b, ...o })) {
    if ('missing' in pair) {
      const { platform: at, missing } = pair;
      yield { part: 'platforms', at, a: missing === 'a' ? undefined : at, b: missing === 'b' ? undefined : at };
      continue;
    }
    if ('at' in pair) {
      if (parts.has('annotations')) yield { part: 'annotations', ...pair };
      continue;
    }
    const { platform } = pair;
    const [x, y] = [await factsOf(pair.a, left, o), await factsOf(pair.b, right, o)];
    // The same layers are the same files.
    if (x.config.rootfs.diff_ids.join() !== y.config.rootfs.diff_ids.join())
      for await (const found of files(await treeOf(pair.a), await treeOf(pair.b))) yield { ...found, platform };
    for (const found of compareImages(x, y, { parts, times: !ignore.has('times') })) yield { ...found, platform };
  }
}

type Pair =
  | { readonly platform: string | undefined; readonly a: Image; readonly b: Image }
  | { readonly platform: string; readonly missing: 'a' | 'b' }
  | { readonly platform: undefined; readonly at: string; readonly a: unknown; readonly b: unknown };

/** The images that are compared with each other. Where only one side is an index, its image for the other's platform. */
async function* pairsOf(
  left: Side & { value: Image | Index },
  right: Side & { value: Image | Index },
  o: { a: string; b: string; platform?: Platform | undefined } & Wait,
): AsyncGenerator<Pair> {
  const [x, y] = [left.value, right.value];
  if (x.kind === 'image' || y.kind === 'image' || o.platform) {
    const known = x.kind === 'image' ? x : y.kind === 'image' ? y : undefined;
    const platform = o.platform ?? (known ? parseConfig(await known.config(o)) : hostPlatform(process));
    const wanted = { os: platform.os, architecture: platform.architecture, variant: platform.variant };
    const one = await chooseImage(x, wanted, { what: o.a, ...o });
    const other = await chooseImage(y, wanted, { what: o.b, ...o });
    yield { platform: undefined, a: one.image, b: other.image };
    return;
  }
  const [mine, theirs] = [await membersOf(x, o), await membersOf(y, o)];
  for (const [platform, open] of mine) {
    const other = theirs.get(platform);
    if (other) yield { platform, a: await open(), b: await other() };
    else yield { platform, missing: 'b' };
  }
  for (const platform of theirs.keys()) if (!mine.has(platform)) yield { platform, missing: 'a' };
  const [p, q] = [await indexManifestOf(x, o), await indexManifestOf(y, o)];
  for (const found of compareValues(p.annotations ?? {}, q.annotations ?? {}, 'index'))
    yield { platform: undefined, ...found };
}

async function membersOf(index: Index, w: Wait): Promise<Map<string, () => Promise<Image>>> {
  const { manifests } = await indexManifestOf(index, w);
  return new Map(
    manifests
      .filter((member) => member.platform && !isAttestation(member))
      .map((member) => [
        formatPlatform(member.platform as Platform),
        async () =>
          (await chooseImage(await index.member(member, w), member.platform as Platform, { what: '', ...w })).image,
      ]),
  );
}

async function factsOf(image: Image, { hasManifest }: Side, w: Wait): Promise<ImageFacts> {
  const config = parseConfig(await image.config(w));
  if (!hasManifest) return { config };
  const manifest = await manifestOf(image, w);
  return { config, manifest, annotations: manifest.annotations };
}

async function openSide(
  place: Location,
  o: { worker: Worker; session: ReturnType<SessionFor>; temp: string; random: Random; scratch: string } & Wait,
): Promise<Side> {
  const { worker, session } = o;
  const nothing = { [Symbol.dispose]: () => undefined };
  const explicit = place.startsWith('dir:');
  const path = explicit ? place.slice('dir:'.length) : place;
  const stat = statSync(path, { throwIfNoEntry: false });
  if (explicit && !stat?.isDirectory())
    throw engineError('LOCATION_INVALID', `open "${place}": there is no such folder`, { remedy: 'Name a folder.' });
  if (stat?.isDirectory() && (explicit || !statSync(join(path, 'oci-layout'), { throwIfNoEntry: false })))
    return { ...nothing, value: await walkFolder(path, { signal: o.signal }), hasManifest: false };
  const { transport, place: name } = parseLocation(place);
  if (transport === 'store') {
    const record = worker.images.resolve(name, { prefer: hostPlatform(process) });
    return {
      ...nothing,
      value: worker.imagesFor(session).open(record, { codec: codecFor(undefined) }),
      hasManifest: record.manifest !== undefined,
    };
  }
  try {
    const opened = await openLocation(place, { client: worker.registry(session), ...o });
    try {
      return { value: await opened.image(), hasManifest: true, [Symbol.dispose]: () => opened[Symbol.dispose]() };
    } catch (error) {
      opened[Symbol.dispose]();
      throw error;
    }
  } catch (error) {
    if (!hasCode(error, 'ARCHIVE_INVALID') || !stat?.isFile()) throw error;
    const tree = await archiveTree(path, { scratch: o.temp, signal: o.signal });
    if (!tree) throw error;
    return { ...nothing, value: tree, hasManifest: false };
  }
}

function registriesOf(place: Location, o: { insecure?: readonly string[] | undefined }): readonly string[] {
  if (!place.startsWith('docker://')) return [];
  const { registry } = parseReference(place.slice('docker://'.length));
  return o.insecure?.includes(registry) ? [registry] : [];
}

/** A tree with its times as a layer would have them. */
function wholeSeconds(tree: FileTree): FileTree {
  const origins = new Map<unknown, Awaited<ReturnType<FileTree['entries']>>[number]>();
  return {
    entries: async (w) =>
      (await tree.entries(w)).map((entry) => {
        if (entry.mtimeNs === 0) return entry;
        // By its members: an entry of a folder has them on its prototype's side for none.
        const { path, type, mode, uid, gid, size, mtime, link, device, xattrs } = entry;
        const cut = { path, type, mode, uid, gid, size, mtime, mtimeNs: 0, link, device, xattrs };
        origins.set(cut, entry);
        return cut;
      }),
    read: (files, w) =>
      tree.read(
        files.map((file) => origins.get(file) ?? file),
        w,
      ),
    digests: (files, w) =>
      tree.digests(
        files.map((file) => origins.get(file) ?? file),
        w,
      ),
  };
}
