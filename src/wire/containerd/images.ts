import { hasCode, type Wait } from '../../base/index.ts';
import { parseDigest, type Descriptor } from '../../blob/index.ts';
import { Images } from '../gen/containerd/images_pb.ts';
import type { Containerd } from './client.ts';

type Labels = Readonly<Record<string, string>>;

export interface ContainerdImage {
  readonly name: string;
  readonly target: Descriptor;
  readonly labels: Labels;
}

/** containerd's image store: names for manifests and indexes of its content store. What a name leads to is spared by its collector. */
export class ContainerdImages {
  readonly #containerd: Containerd;

  constructor(containerd: Containerd) {
    this.#containerd = containerd;
  }

  async list(w: Wait = {}): Promise<readonly ContainerdImage[]> {
    const { images } = await this.#containerd.call(Images, 'list the images of containerd', {
      ...w,
      use: (client, o) => client.list({}, o),
    });
    return images.map(({ name, target, labels }) => ({
      name,
      labels,
      target: {
        mediaType: target?.mediaType ?? '',
        digest: parseDigest(target?.digest ?? ''),
        size: Number(target?.size ?? 0n),
      },
    }));
  }

  /** Gives a name to a manifest or an index, whatever had it before. */
  async set(name: string, target: Descriptor, o: { labels?: Labels } & Wait = {}): Promise<void> {
    const { mediaType, digest, size } = target;
    const image = { name, labels: { ...o.labels }, target: { mediaType, digest, size: BigInt(size) } };
    const action = `name image "${name}" in containerd`;
    try {
      await this.#containerd.call(Images, action, {
        ...o,
        use: (client, options) => client.create({ image }, options),
      });
    } catch (error) {
      if (!hasCode(error, 'GRPC_ALREADY_EXISTS')) throw error;
      await this.#containerd.call(Images, action, {
        ...o,
        use: (client, options) => client.update({ image }, options),
      });
    }
  }

  /** Nothing happens when there is none. */
  async delete(name: string, o: { sync?: boolean } & Wait = {}): Promise<void> {
    try {
      await this.#containerd.call(Images, `remove image "${name}" of containerd`, {
        ...o,
        use: (client, options) => client.delete({ name, sync: o.sync ?? false }, options),
      });
    } catch (error) {
      if (!hasCode(error, 'GRPC_NOT_FOUND')) throw error;
    }
  }
}
