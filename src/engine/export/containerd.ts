import { collect, hasCode, mapBounded, type Bytes, type Wait } from '../../base/index.ts';
import type { Descriptor, Digest } from '../../blob/index.ts';
import {
  canonicalReference,
  contentsOf,
  formatPlatform,
  hostPlatform,
  parseManifest,
  parseReference,
  type Content,
} from '../../image/index.ts';
import { chainId } from '../../worker/index.ts';
import {
  Containerd,
  ContainerdContent,
  ContainerdDiffs,
  ContainerdImages,
  ContainerdLeases,
  ContainerdSnapshots,
  DEFAULT_ADDRESS,
} from '../../wire/containerd/index.ts';
import type { BuiltImage } from '../built-image.ts';
import type { ExportRequest } from '../builder.ts';
import { engineError } from '../errors.ts';
import { formOf, idOf, imageOf, told, valueOf, type Exported, type ExportContext } from './context.ts';

type ContainerdExport = Extract<ExportRequest, { type: 'containerd' }>;

/** Where ctr looks. */
const NAMESPACE = 'default';
const SNAPSHOTTER = 'overlayfs';
/** Blobs that are sent at a time. */
const LANES = 3;
/** What an export that is killed has sent is spared for so long. */
const SPARED_MS = 86_400_000;

interface Layer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
}

/** containerd's image store: only blobs that it lacks travel; labels keep its collector from what the names lead to, and from nothing else. */
export async function exportToContainerd(
  built: readonly BuiltImage[],
  e: ContainerdExport,
  c: ExportContext,
): Promise<Exported> {
  const address = e.address ?? (process.env['CONTAINERD_ADDRESS'] || DEFAULT_ADDRESS);
  const { namespace = NAMESPACE, names } = e;
  return told(`exporting to containerd at ${address}, namespace ${namespace}`, c, async (note) => {
    const how = formOf(e.compression, { family: e.docker ? 'docker' : 'oci', context: c });
    const value = await valueOf(built, { ...how, names });
    const w = { signal: c.signal };
    await using containerd = new Containerd({ address, namespace });
    const leases = new ContainerdLeases(containerd);
    const lease = `strake-export-${c.random.hex(8)}`;
    const expires = new Date(c.clock.now() + SPARED_MS).toISOString();
    await leases.create(lease, { labels: { 'containerd.io/gc.expire': expires }, ...w });
    try {
      const layers: Layer[][] = [];
      for (const one of built)
        layers.push(
          await Promise.all(
            (await (await imageOf(one, how)).layers(w)).map(async (layer) => ({
              descriptor: await layer.descriptor(w),
              diffId: await layer.diffId(w),
            })),
          ),
        );
      const contents = await contentsOf(value, w);
      const store = new ContainerdContent(containerd, { random: c.random });
      const sent = await send(contents, { layers: layers.flat(), store, leases, lease, c });
      note(`${sent} of ${contents.length} blobs were not there`);
      const { descriptor } = contents.at(-1) as Content;
      if (e.unpack === true) await unpackHere(built, layers, { e, containerd, store, lease, c, note });
      const images = new ContainerdImages(containerd);
      for (const name of names) {
        const full = canonicalReference(parseReference(name));
        await images.set(full, descriptor, w);
        note(`naming to ${full}`);
      }
      return { descriptor, names };
    } finally {
      // Not by the signal: what was sent in vain is given up now.
      await leases.delete(lease, { sync: c.signal?.aborted === true }).catch(() => undefined);
    }
  });
}

/** Sends what is not there, what is named before what names it. Gives how many blobs that were. */
async function send(
  contents: readonly Content[],
  o: {
    readonly layers: readonly Layer[];
    readonly store: ContainerdContent;
    readonly leases: ContainerdLeases;
    readonly lease: string;
    readonly c: ExportContext;
  },
): Promise<number> {
  const { store, leases, lease, c } = o;
  const w = { signal: c.signal };
  const diffIds = new Map(o.layers.map(({ descriptor, diffId }) => [descriptor.digest, diffId]));
  let sent = 0;
  const write = async (content: Content): Promise<void> => {
    const { descriptor, role } = content;
    const { digest, mediaType } = descriptor;
    // Spared first: what is there now is there when the name is given.
    await leases.add(lease, { type: 'content', id: digest }, w);
    const labels = role === 'layer' ? layerLabels(diffIds.get(digest)) : await childLabels(content, w);
    const known = await store.info(digest, w);
    if (known) {
      const missing = Object.entries(labels).filter(([name, text]) => known.labels[name] !== text);
      if (missing.length > 0) await store.label(digest, Object.fromEntries(missing), w);
      return;
    }
    const bytes = counted(await content.open(w), (current) => {
      const progress = {
        item: digest,
        current,
        total: descriptor.size,
        unit: 'bytes' as const,
        done: current >= descriptor.size,
      };
      c.emit({ kind: 'progress', id: idOf(c), at: c.clock.now(), progress });
    });
    await store.put(bytes, { mediaType, expect: descriptor, labels, lease, ...w });
    sent += 1;
  };
  await mapBounded(
    contents.filter(({ role }) => role === 'layer'),
    LANES,
    write,
  );
  for (const content of contents) if (content.role !== 'layer') await write(content);
  return sent;
}

function layerLabels(diffId: Digest | undefined): Record<string, string> {
  return diffId === undefined ? {} : { 'containerd.io/uncompressed': diffId };
}

/** What a manifest or index names is spared with it (containerd's images.ChildGCLabels). */
async function childLabels(content: Content, w: Wait): Promise<Record<string, string>> {
  if (content.role !== 'manifest' && content.role !== 'index') return {};
  const parsed = parseManifest(await collect(await content.open(w)));
  const labels: Record<string, string> = {};
  if (parsed.kind === 'index')
    for (const [i, member] of parsed.manifests.entries()) labels[`containerd.io/gc.ref.content.m.${i}`] = member.digest;
  else {
    labels['containerd.io/gc.ref.content.config'] = parsed.config.digest;
    for (const [i, layer] of parsed.layers.entries()) labels[`containerd.io/gc.ref.content.l.${i}`] = layer.digest;
  }
  return labels;
}

/** Makes the snapshots from which this machine's image runs, as containerd's own client does, and has the image's configuration spare them. */
async function unpackHere(
  built: readonly BuiltImage[],
  layers: readonly (readonly Layer[])[],
  o: {
    readonly e: ContainerdExport;
    readonly containerd: Containerd;
    readonly store: ContainerdContent;
    readonly lease: string;
    readonly c: ExportContext;
    readonly note: (text: string) => void;
  },
): Promise<void> {
  const { e, containerd, lease, c } = o;
  const { snapshotter = SNAPSHOTTER } = e;
  const here = formatPlatform(hostPlatform(process));
  const at = built.length === 1 ? 0 : built.findIndex(({ plan }) => formatPlatform(plan.platform) === here);
  const image = built[at];
  const own = layers[at];
  if (!image || !own)
    throw engineError('EXPORT_INVALID', `unpack the image in containerd: it has no member for ${here}`);
  const snapshots = new ContainerdSnapshots(containerd, snapshotter);
  const diffs = new ContainerdDiffs(containerd);
  const w = { lease, signal: c.signal };
  let parent: string | undefined;
  for (const [i, { descriptor, diffId }] of own.entries()) {
    const chain = chainId(own.slice(0, i + 1)) ?? diffId;
    if ((await snapshots.stat(chain, w)) === undefined) {
      const key = `extract-${c.random.hex(8)} ${chain}`;
      const mounts = await snapshots.prepare(key, { parent, ...w });
      try {
        const applied = await diffs.apply(descriptor, { mounts, ...w });
        if (applied.digest !== diffId)
          throw engineError(
            'EXPORT_FAILED',
            `unpack layer ${descriptor.digest} in containerd: it is ${applied.digest}, not ${diffId}`,
          );
        await snapshots.commit(key, { name: chain, ...w });
      } catch (error) {
        await snapshots.remove(key).catch(() => undefined);
        // Somebody else has unpacked it meanwhile.
        if (!hasCode(error, 'GRPC_ALREADY_EXISTS')) throw error;
      }
    }
    parent = chain;
  }
  if (parent === undefined) return;
  const config = (await imageConfig(image, o)).digest;
  await o.store.label(config, { [`containerd.io/gc.ref.snapshot.${snapshotter}`]: parent }, w);
  o.note(`unpacked to ${parent}`);
}

async function imageConfig(
  image: BuiltImage,
  o: { readonly e: ContainerdExport; readonly c: ExportContext },
): Promise<Descriptor> {
  const { e, c } = o;
  const value = await imageOf(image, formOf(e.compression, { family: e.docker ? 'docker' : 'oci', context: c }));
  const contents = await contentsOf(value, { signal: c.signal });
  return (contents.find(({ role }) => role === 'config') as Content).descriptor;
}

async function* counted(content: Bytes, see: (bytes: number) => void): Bytes {
  let bytes = 0;
  for await (const chunk of content) {
    yield chunk;
    bytes += chunk.length;
    see(bytes);
  }
}
