import { tempFolder, type Random, type Wait } from '../base/index.ts';
import type { Descriptor, Digest, DiskBlobStore } from '../blob/index.ts';
import {
  canonicalReference,
  descriptorOf,
  hostPlatform,
  indexManifestOf,
  isAttestation,
  makeIndex,
  parseReference,
  type Image,
  type ImageRecord,
  type Index,
} from '../image/index.ts';
import { GZIP } from '../tree/index.ts';
import { blobsOfImage, type Worker } from '../worker/index.ts';
import type { Location, TransferOptions } from './image-service.ts';
import type { SessionFor } from './image-operations.ts';
import { openLocation, parseLocation, writeLocation } from './location.ts';

/** Where images are put together from others, with no step run: what is opened stays readable, and what is made is spared from sweeps, until it is disposed of. */
export interface Workshop extends AsyncDisposable {
  readonly store: DiskBlobStore;
  /** A folder of its own for files, gone in the end. */
  readonly scratch: string;
  readonly random: Random;
  spare(...digests: readonly Digest[]): void;
  open(from: Location, w?: Wait): Promise<Image | Index>;
  /** Writes an image, or all images of an index. Where the store is the place, layers that are in a registry stay there unless `whole`. */
  write(to: Location, value: Image | Index, o?: { readonly whole?: boolean | undefined } & Wait): Promise<Descriptor>;
  /** True where the local store has an image of this name or ID. */
  has(name: string): boolean;
}

export async function openWorkshop(
  o: Omit<TransferOptions, 'signal'> & {
    readonly worker: Worker;
    readonly sessionFor: SessionFor;
    readonly scratch: string;
    readonly random: Random;
  },
): Promise<Workshop> {
  await using opening = new AsyncDisposableStack();
  const { worker, random } = o;
  const session = opening.use(o.sessionFor(o.host));
  const scratch = opening.use(tempFolder(o.scratch, random)).path;
  const images = worker.imagesFor(session);
  const openRecords = async (records: readonly ImageRecord[]): Promise<Image | Index> => {
    const opened = records.map((record) => {
      session.spare(...blobsOfImage(record));
      return images.open(record, { codec: GZIP });
    });
    const [only] = opened;
    if (only && opened.length === 1) return only;
    const members = opened.map((image, at) => ({ image, platform: records[at]?.platform }));
    return makeIndex(members, { mediaTypes: records[0]?.mediaTypes ?? 'oci' });
  };
  const places = {
    client: worker.registry(session),
    images,
    open: openRecords,
    temp: scratch,
    random,
    onProgress: o.onProgress,
  };
  const scope = opening.move();
  return {
    store: worker.store,
    scratch,
    random,
    spare: (...digests) => session.spare(...digests),
    has: (name) => {
      try {
        return images.find(name, { prefer: hostPlatform(process) }) !== undefined;
      } catch {
        return true;
      }
    },
    open: async (from, w) => {
      const opened = await openLocation(from, { ...places, signal: w?.signal });
      scope.use(opened);
      return await opened.image();
    },
    write: async (to, value, w) => {
      const { transport, place } = parseLocation(to);
      if (transport !== 'store') return await writeLocation(to, value, { ...places, signal: w?.signal });
      const names = [canonicalReference(parseReference(place))];
      const records: ImageRecord[] = [];
      for (const image of await imagesOf(value, w))
        records.push(await images.import([], image, { lazy: w?.whole !== true, signal: w?.signal }));
      images.put(names, records);
      return await descriptorOf(value, w);
    },
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

/** The images that an index comes to, one for each platform. */
async function imagesOf(x: Image | Index, w: Wait | undefined): Promise<readonly Image[]> {
  if (x.kind === 'image') return [x];
  const found: Image[] = [];
  for (const descriptor of (await indexManifestOf(x, w)).manifests)
    if (!isAttestation(descriptor)) found.push(...(await imagesOf(await x.member(descriptor, w), w)));
  return found;
}
