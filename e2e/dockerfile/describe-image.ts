import { join } from 'node:path';
import { systemClock, systemRandom } from '../../src/base/index.ts';
import { DiskBlobStore, type Digest } from '../../src/blob/index.ts';
import {
  indexManifestOf,
  isAttestation,
  formatPlatform,
  manifestOf,
  openArchive,
  selectImage,
  type Image,
} from '../../src/image/index.ts';
import { importLayer, openLayer, type Entry } from '../../src/tree/index.ts';
import { BASE_TIME, baseHistory } from './base-history.ts';
import type { Golden, GoldenEntry, GoldenImage } from './golden.ts';

/** Whatever is not older was made by the build itself: contexts and bases have older times. */
const MADE = 1_700_000_000;

/** What an OCI archive holds, as golden data has it. Layers are read by way of a store in the folder `scratch`. */
export async function describeArchive(
  path: string,
  scratch: string,
): Promise<Pick<Golden, 'images' | 'indexAnnotations'>> {
  using archive = await openArchive(path, { temp: scratch, random: systemRandom });
  const value = await selectImage(archive, { what: path }).open();
  const store = new DiskBlobStore(join(scratch, 'layers'), { clock: systemClock, random: systemRandom });
  if (value.kind === 'image') return { images: { '': await describeImage(value, store) } };
  const { manifests, annotations } = await indexManifestOf(value);
  const images: Record<string, GoldenImage> = {};
  for (const member of manifests.filter((one) => one.platform && !isAttestation(one))) {
    const image = await value.member(member);
    if (image.kind === 'image' && member.platform)
      images[formatPlatform(member.platform)] = await describeImage(image, store);
  }
  return { images, indexAnnotations: annotations };
}

async function describeImage(image: Image, store: DiskBlobStore): Promise<GoldenImage> {
  const whole = JSON.parse(Buffer.from(await image.config()).toString()) as Record<string, unknown>;
  const {
    rootfs: _,
    history = [],
    ...config
  } = whole as {
    rootfs: unknown;
    history?: Record<string, unknown>[];
    [name: string]: unknown;
  };
  const isBase = ({ created, created_by }: Record<string, unknown>): boolean =>
    created === BASE_TIME && baseHistory.has(String(created_by));
  const fromBase = history.findIndex((entry) => !isBase(entry));
  const kept = fromBase < 0 ? history.length : fromBase;
  const below = history.slice(0, kept).filter(({ empty_layer }) => empty_layer !== true).length;
  const layers: (readonly GoldenEntry[])[] = [];
  for (const layer of (await image.layers()).slice(below)) {
    const descriptor = await layer.descriptor();
    const diffId = await layer.diffId();
    if (store.sizeOf(diffId) === undefined) {
      await store.put(await layer.compressed(), { mediaType: descriptor.mediaType, expect: descriptor });
      await importLayer(store, { descriptor, diffId });
    }
    const tree = await openLayer(store, diffId);
    const entries = await tree.entries();
    const files = entries.filter(({ type }) => type === 'file');
    const digests = await tree.digests(files);
    const byFile = new Map(files.map((file, at) => [file, digests[at]]));
    layers.push(entries.map((entry) => line(entry, byFile.get(entry))));
  }
  const { annotations } = await manifestOf(image);
  return {
    base: { layers: below, history: kept },
    layers,
    config: timeless(config) as Record<string, unknown>,
    history: history.slice(kept).map((entry) => timeless(entry) as Record<string, unknown>),
    ...(annotations ? { annotations } : {}),
  };
}

function line(entry: Entry, digest: Digest | undefined): GoldenEntry {
  const { type, mode, uid, gid, mtime, path, size, link, device, xattrs } = entry;
  const what =
    type === 'file'
      ? `${size} ${(digest ?? '').slice('sha256:'.length, 'sha256:'.length + 16)}`
      : (link ?? (device ? `${device.major}:${device.minor}` : undefined));
  const attributes =
    xattrs && Object.fromEntries([...xattrs].map(([name, value]) => [name, Buffer.from(value).toString('hex')]));
  const head = [type, mode.toString(8).padStart(4, '0'), `${uid}:${gid}`, mtime >= MADE ? 'now' : mtime, path] as const;
  if (attributes) return [...head, what ?? '', attributes];
  return what === undefined ? head : [...head, what];
}

/** Without what differs from build to build: times of this build become "now". */
function timeless(value: unknown): unknown {
  if (typeof value === 'string')
    return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) && Date.parse(value) >= MADE * 1000
      ? 'now'
      : value.replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT');
  if (Array.isArray(value)) return value.map(timeless);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [timeless(name) as string, timeless(one)]));
}
