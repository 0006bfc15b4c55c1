import { statSync } from 'node:fs';
import type { Random, Wait } from '../base/index.ts';
import type { Descriptor } from '../blob/index.ts';
import {
  canonicalReference,
  chooseImage,
  hostPlatform,
  openArchive,
  openLayout,
  parseReference,
  selectImage,
  withMediaTypes,
  writeDockerArchive,
  writeLayout,
  writeOciArchive,
  type Bundle,
  type BundledImage,
  type Image,
  type ImageRecord,
  type ImageStore,
  type Index,
} from '../image/index.ts';
import type { RegistryClient } from '../registry/index.ts';
import type { Location, TransferProgress } from './image-service.ts';
import { engineError } from './errors.ts';
import { fileSink } from './file-sink.ts';
import { pushProgress } from './push-progress.ts';

const TRANSPORTS = ['store', 'docker', 'oci', 'oci-archive', 'docker-archive'] as const;
type Transport = (typeof TRANSPORTS)[number];

interface Places extends Wait {
  readonly temp: string;
  readonly random: Random;
  readonly client?: RegistryClient | undefined;
  readonly images?: ImageStore | undefined;
  readonly open?: ((records: readonly ImageRecord[]) => Promise<Image | Index>) | undefined;
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
}

/** Images at a place, and the one that the place's own words choose. */
export interface OpenedLocation extends Disposable {
  readonly kind: 'image' | Bundle['kind'];
  readonly images: readonly Pick<BundledImage, 'names' | 'open'>[];
  image(): Promise<Image | Index>;
}

/** `transport:rest`; a bare path to a file or folder is what is found there, any other bare word a name in the store. Throws `LOCATION_INVALID`. */
export function parseLocation(text: Location): { transport: Transport; place: string; wanted?: string | undefined } {
  const match = /^([a-z-]+):(?!\d+(?:\/|$))(.*)$/s.exec(text);
  const transport = TRANSPORTS.find((name) => name === match?.[1]);
  if (!transport || !match) {
    const stat = statSync(text, { throwIfNoEntry: false });
    if (stat?.isDirectory()) return { transport: 'oci', place: text };
    if (stat) return { transport: 'oci-archive', place: text };
    if (text.includes('://') || text.startsWith('containers-storage:') || text.startsWith('docker-daemon:'))
      throw engineError('LOCATION_INVALID', `read location "${text}": no such transport`, {
        remedy: `Use one of ${TRANSPORTS.map((name) => `${name}:`).join(' ')}.`,
      });
    return { transport: 'store', place: text };
  }
  const rest = match[2] ?? '';
  if (transport === 'docker') {
    if (!rest.startsWith('//'))
      throw engineError('LOCATION_INVALID', `read location "${text}": write docker://HOST/NAME:TAG`);
    return { transport, place: rest.slice(2) };
  }
  if (transport === 'store') return { transport, place: rest };
  const colon = rest.indexOf(':');
  return colon < 0
    ? { transport, place: rest }
    : { transport, place: rest.slice(0, colon), wanted: rest.slice(colon + 1) };
}

export async function openLocation(text: Location, o: Places): Promise<OpenedLocation> {
  const { transport, place, wanted } = parseLocation(text);
  if (transport === 'docker') {
    if (!o.client) throw engineError('LOCATION_INVALID', `open "${text}": a registry cannot be read here`);
    const value = await o.client.image(parseReference(place), { signal: o.signal });
    return single(value);
  }
  if (transport === 'store') {
    if (!o.images || !o.open) throw engineError('LOCATION_INVALID', `open "${text}": there is no such file or folder`);
    return single(await o.open(o.images.resolveAll(place)));
  }
  if (transport === 'oci') {
    const layout = openLayout(place);
    return {
      ...layout,
      image: () => selectImage(layout, { wanted, what: place }).open(),
      [Symbol.dispose]: () => undefined,
    };
  }
  const archive = await openArchive(place, { temp: o.temp, random: o.random, signal: o.signal });
  return {
    kind: archive.kind,
    images: archive.images,
    image: () => selectImage(archive, { wanted, what: place }).open(),
    [Symbol.dispose]: () => archive[Symbol.dispose](),
  };
}

/** Writes an image or index to a place; gives the descriptor of what lies there now. */
export async function writeLocation(text: Location, value: Image | Index, o: Places): Promise<Descriptor> {
  const { transport, place, wanted } = parseLocation(text);
  if (transport === 'docker') {
    if (!o.client) throw engineError('LOCATION_INVALID', `write "${text}": a registry cannot be written here`);
    return o.client.push(value, parseReference(place), {
      signal: o.signal,
      progress: pushProgress(o),
    });
  }
  if (transport === 'store') {
    if (!o.images) throw engineError('LOCATION_INVALID', `write "${text}": there is no store here`);
    const { image } = await chooseImage(value, hostPlatform(process), { what: text, signal: o.signal });
    const record = await o.images.import([canonicalReference(parseReference(place))], image, {
      index: value.kind === 'index' ? value : undefined,
      signal: o.signal,
    });
    return record.manifest ?? record.config;
  }
  const refs = wanted === undefined ? [] : [wanted];
  let descriptors: readonly Descriptor[];
  if (transport === 'oci')
    descriptors = await writeLayout(place, [{ image: value, refs }], { random: o.random, signal: o.signal });
  else {
    await using sink = fileSink(place, o.random);
    const write = (chunk: Uint8Array): Promise<void> => sink.write(chunk);
    if (transport === 'oci-archive') descriptors = await writeOciArchive([{ image: value, refs }], write, o);
    else {
      const { image } = await chooseImage(value, hostPlatform(process), { what: text, signal: o.signal });
      descriptors = await writeDockerArchive([{ image: withMediaTypes(image, 'docker'), names: refs }], write, o);
    }
    await sink.close();
  }
  const [descriptor] = descriptors;
  if (!descriptor) throw engineError('EXPORT_FAILED', `write "${text}": nothing was written`);
  return descriptor;
}

function single(value: Image | Index): OpenedLocation {
  return {
    kind: 'image',
    images: [{ names: [], open: async () => value }],
    image: async () => value,
    [Symbol.dispose]: () => undefined,
  };
}
