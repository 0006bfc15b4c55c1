import { hasCode, type Wait } from '../../base/index.ts';
import { Leases } from '../gen/containerd/leases_pb.ts';
import type { Containerd } from './client.ts';

export interface LeaseInfo {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What a lease can spare: `content`, `snapshots/overlayfs`, `ingests`. */
export interface LeaseResource {
  readonly type: string;
  readonly id: string;
}

/** What spares things from containerd's collector. */
export class ContainerdLeases {
  readonly #containerd: Containerd;

  constructor(containerd: Containerd) {
    this.#containerd = containerd;
  }

  async create(id: string, o: { labels?: Readonly<Record<string, string>> } & Wait = {}): Promise<void> {
    await this.#containerd.call(Leases, `make lease "${id}" in containerd`, {
      ...o,
      use: (client, options) => client.create({ id, labels: { ...o.labels } }, options),
    });
  }

  /** Its collector is run before this returns where `sync` is set. Nothing happens when there is none. */
  async delete(id: string, o: { sync?: boolean } & Wait = {}): Promise<void> {
    try {
      await this.#containerd.call(Leases, `give lease "${id}" back to containerd`, {
        ...o,
        use: (client, options) => client.delete({ id, sync: o.sync ?? false }, options),
      });
    } catch (error) {
      if (!hasCode(error, 'GRPC_NOT_FOUND')) throw error;
    }
  }

  /** `filter` as `labels."name"==value`. */
  async list(filter?: string, w: Wait = {}): Promise<readonly LeaseInfo[]> {
    const { leases } = await this.#containerd.call(Leases, 'list the leases of containerd', {
      ...w,
      use: (client, o) => client.list({ filters: filter === undefined ? [] : [filter] }, o),
    });
    return leases.map(({ id, labels }) => ({ id, labels }));
  }

  async add(id: string, resource: LeaseResource, w: Wait = {}): Promise<void> {
    await this.#containerd.call(Leases, `spare ${resource.type} "${resource.id}" in containerd`, {
      ...w,
      use: (client, o) => client.addResource({ id, resource: { ...resource } }, o),
    });
  }

  async resources(id: string, w: Wait = {}): Promise<readonly LeaseResource[]> {
    const { resources } = await this.#containerd.call(Leases, `list what lease "${id}" of containerd spares`, {
      ...w,
      use: (client, o) => client.listResources({ id }, o),
    });
    return resources.map(({ type, id: name }) => ({ type, id: name }));
  }
}
