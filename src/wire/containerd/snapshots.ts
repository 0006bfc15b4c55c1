import { hasCode, type MountSpec, type Wait } from '../../base/index.ts';
import { Kind, Snapshots } from '../gen/containerd/snapshots_pb.ts';
import type { Timestamp } from '../grpc/index.ts';
import type { CallWait, Containerd } from './client.ts';

type Labels = Readonly<Record<string, string>>;

export interface ContainerdSnapshot {
  readonly name: string;
  readonly parent: string | undefined;
  readonly kind: 'view' | 'active' | 'committed';
  /** Milliseconds since the epoch, to the nanosecond. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly labels: Labels;
}

/** One snapshotter of containerd. Names of snapshots and keys of what is active are one set. */
export class ContainerdSnapshots {
  readonly snapshotter: string;
  readonly #containerd: Containerd;

  constructor(containerd: Containerd, snapshotter: string) {
    this.#containerd = containerd;
    this.snapshotter = snapshotter;
  }

  async prepare(
    key: string,
    o: { parent?: string | undefined; labels?: Labels } & CallWait,
  ): Promise<readonly MountSpec[]> {
    const { mounts } = await this.#containerd.call(Snapshots, `prepare snapshot "${key}" in containerd`, {
      ...o,
      use: (client, options) => client.prepare({ ...this.#request(key, o) }, options),
    });
    return mountsOf(mounts);
  }

  async view(key: string, o: { parent: string; labels?: Labels } & CallWait): Promise<readonly MountSpec[]> {
    const { mounts } = await this.#containerd.call(Snapshots, `look at snapshot "${o.parent}" in containerd`, {
      ...o,
      use: (client, options) => client.view({ ...this.#request(key, o) }, options),
    });
    return mountsOf(mounts);
  }

  /** Of what is active. */
  async mounts(key: string, w: CallWait = {}): Promise<readonly MountSpec[]> {
    const { snapshotter } = this;
    const { mounts } = await this.#containerd.call(Snapshots, `find snapshot "${key}" in containerd`, {
      ...w,
      use: (client, o) => client.mounts({ snapshotter, key }, o),
    });
    return mountsOf(mounts);
  }

  /** Throws `GRPC_ALREADY_EXISTS` when there is one of that name. */
  async commit(key: string, o: { name: string; labels?: Labels } & CallWait): Promise<void> {
    const { snapshotter } = this;
    const { name, labels } = o;
    await this.#containerd.call(Snapshots, `commit snapshot "${name}" in containerd`, {
      ...o,
      use: (client, options) => client.commit({ snapshotter, key, name, labels: { ...labels } }, options),
    });
  }

  /** Undefined when there is none. */
  async stat(key: string, w: Wait = {}): Promise<ContainerdSnapshot | undefined> {
    const { snapshotter } = this;
    try {
      const { info } = await this.#containerd.call(Snapshots, `look for snapshot "${key}" in containerd`, {
        ...w,
        use: (client, o) => client.stat({ snapshotter, key }, o),
      });
      return info && infoOf(info);
    } catch (error) {
      if (hasCode(error, 'GRPC_NOT_FOUND')) return undefined;
      throw error;
    }
  }

  async list(filter?: string, w: Wait = {}): Promise<readonly ContainerdSnapshot[]> {
    const { snapshotter } = this;
    return this.#containerd.call(Snapshots, 'list the snapshots of containerd', {
      ...w,
      use: async (client, o) => {
        const all: ContainerdSnapshot[] = [];
        for await (const { info } of client.list({ snapshotter, filters: filter === undefined ? [] : [filter] }, o))
          all.push(...info.map(infoOf));
        return all;
      },
    });
  }

  async label(name: string, labels: Labels, w: Wait = {}): Promise<void> {
    const { snapshotter } = this;
    const paths = Object.keys(labels).map((label) => `labels.${label}`);
    await this.#containerd.call(Snapshots, `label snapshot "${name}" in containerd`, {
      ...w,
      use: (client, o) =>
        client.update({ snapshotter, info: { name, labels: { ...labels } }, updateMask: { paths } }, o),
    });
  }

  /** Throws `GRPC_FAILED_PRECONDITION` when another stands on it, `GRPC_NOT_FOUND`. */
  async remove(key: string, w: Wait = {}): Promise<void> {
    const { snapshotter } = this;
    await this.#containerd.call(Snapshots, `remove snapshot "${key}" of containerd`, {
      ...w,
      use: (client, o) => client.remove({ snapshotter, key }, o),
    });
  }

  /** Bytes and inodes that it takes itself. */
  async usage(key: string, w: Wait = {}): Promise<{ readonly bytes: number; readonly inodes: number }> {
    const { snapshotter } = this;
    const { size, inodes } = await this.#containerd.call(Snapshots, `measure snapshot "${key}" of containerd`, {
      ...w,
      use: (client, o) => client.usage({ snapshotter, key }, o),
    });
    return { bytes: Number(size), inodes: Number(inodes) };
  }

  #request(
    key: string,
    o: { parent?: string | undefined; labels?: Labels },
  ): { snapshotter: string; key: string; parent: string; labels: Record<string, string> } {
    return { snapshotter: this.snapshotter, key, parent: o.parent ?? '', labels: { ...o.labels } };
  }
}

interface WireMount {
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly options: readonly string[];
}

function mountsOf(mounts: readonly WireMount[]): MountSpec[] {
  return mounts.map(({ type, source, target, options }) => ({
    type,
    source,
    ...(target === '' ? {} : { target }),
    options: [...options],
  }));
}

function infoOf(info: {
  name: string;
  parent: string;
  kind: number;
  createdAt?: Timestamp | undefined;
  updatedAt?: Timestamp | undefined;
  labels: Record<string, string>;
}): ContainerdSnapshot {
  const { name, parent, kind, createdAt, updatedAt, labels } = info;
  return {
    name,
    parent: parent === '' ? undefined : parent,
    kind: kind === Kind.COMMITTED ? 'committed' : kind === Kind.VIEW ? 'view' : 'active',
    createdAt: milliseconds(createdAt),
    updatedAt: milliseconds(updatedAt),
    labels,
  };
}

function milliseconds(at: Timestamp | undefined): number {
  return at ? Number(at.seconds) * 1000 + at.nanos / 1e6 : 0;
}
