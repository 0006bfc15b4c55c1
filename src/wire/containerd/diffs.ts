import type { MountSpec } from '../../base/index.ts';
import { parseDigest, type Descriptor } from '../../blob/index.ts';
import { Diff } from '../gen/containerd/diff_pb.ts';
import type { CallWait, Containerd } from './client.ts';

/** containerd's own unpacking of layers and comparing of trees: it reads and writes the files, the caller need not be able to. */
export class ContainerdDiffs {
  readonly #containerd: Containerd;

  constructor(containerd: Containerd) {
    this.#containerd = containerd;
  }

  /** Unpacks a layer of its content store; gives what it is uncompressed. */
  async apply(layer: Descriptor, o: { mounts: readonly MountSpec[] } & CallWait): Promise<Descriptor> {
    const { mediaType, digest, size } = layer;
    const { applied } = await this.#containerd.call(Diff, `unpack layer ${digest} in containerd`, {
      ...o,
      use: (client, options) =>
        client.apply({ diff: { mediaType, digest, size: BigInt(size) }, mounts: wireMounts(o.mounts) }, options),
    });
    return descriptorOf(applied);
  }

  /** Writes what `upper` has and `lower` has not as a layer into the content store. */
  async diff(
    lower: readonly MountSpec[],
    upper: readonly MountSpec[],
    o: { mediaType: string; ref: string; labels?: Readonly<Record<string, string>> } & CallWait,
  ): Promise<Descriptor> {
    const { mediaType, ref, labels } = o;
    const { diff } = await this.#containerd.call(Diff, 'compare snapshots in containerd', {
      ...o,
      use: (client, options) =>
        client.diff(
          { left: wireMounts(lower), right: wireMounts(upper), mediaType, ref, labels: { ...labels } },
          options,
        ),
    });
    return descriptorOf(diff);
  }
}

export function wireMounts(
  mounts: readonly MountSpec[],
): { type: string; source: string; target: string; options: string[] }[] {
  return mounts.map(({ type, source, target, options }) => ({
    type,
    source,
    target: target ?? '',
    options: [...options],
  }));
}

function descriptorOf(
  wire: { readonly mediaType: string; readonly digest: string; readonly size: bigint } | undefined,
): Descriptor {
  const { mediaType = '', digest = '', size = 0n } = wire ?? {};
  return { mediaType, digest: parseDigest(digest), size: Number(size) };
}
