import { hasCode, type Wait } from '../../base/index.ts';
import { Containers } from '../gen/containerd/containers_pb.ts';
import { OptionsSchema } from '../gen/containerd/runc-options_pb.ts';
import { create, toBinary } from '../grpc/index.ts';
import type { Containerd } from './client.ts';

type Labels = Readonly<Record<string, string>>;

export interface ContainerInfo {
  readonly id: string;
  readonly labels: Labels;
}

/** Options of containerd's runc shim (containerd.runc.v1.Options). */
export interface RuncOptions {
  /** The path or name of the runtime's program. */
  readonly binaryName?: string | undefined;
  /** Whose its pipes are. */
  readonly ioUid?: number | undefined;
  readonly ioGid?: number | undefined;
}

export const RUNC = 'io.containerd.runc.v2';
const SPEC_TYPE = 'types.containerd.io/opencontainers/runtime-spec/1/Spec';
const PROCESS_TYPE = 'types.containerd.io/opencontainers/runtime-spec/1/Process';

export interface AnyMessage {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

export function runcOptions(o: RuncOptions): AnyMessage {
  const { binaryName = '', ioUid = 0, ioGid = 0 } = o;
  return {
    typeUrl: OptionsSchema.typeName,
    value: toBinary(OptionsSchema, create(OptionsSchema, { binaryName, ioUid, ioGid })),
  };
}

/** A process of a runtime configuration, as JSON. */
export function processSpec(json: string): AnyMessage {
  return { typeUrl: PROCESS_TYPE, value: Buffer.from(json) };
}

/** What containerd keeps of containers: configurations, not processes. */
export class ContainerdContainers {
  readonly #containerd: Containerd;

  constructor(containerd: Containerd) {
    this.#containerd = containerd;
  }

  /** `spec` is a runtime configuration as JSON. */
  async create(id: string, o: { spec: string; labels: Labels; options: AnyMessage } & Wait): Promise<void> {
    const container = {
      id,
      labels: { ...o.labels },
      runtime: { name: RUNC, options: o.options },
      spec: { typeUrl: SPEC_TYPE, value: Buffer.from(o.spec) },
    };
    await this.#containerd.call(Containers, `make container "${id}" in containerd`, {
      ...o,
      use: (client, options) => client.create({ container }, options),
    });
  }

  /** Keeps another configuration of it from now on. */
  async setSpec(id: string, spec: string, w: Wait = {}): Promise<void> {
    const container = { id, spec: { typeUrl: SPEC_TYPE, value: Buffer.from(spec) } };
    await this.#containerd.call(Containers, `change container "${id}" of containerd`, {
      ...w,
      use: (client, o) => client.update({ container, updateMask: { paths: ['spec'] } }, o),
    });
  }

  /** `filter` as `labels."name"==value`. */
  async list(filter?: string, w: Wait = {}): Promise<readonly ContainerInfo[]> {
    const { containers } = await this.#containerd.call(Containers, 'list the containers of containerd', {
      ...w,
      use: (client, o) => client.list({ filters: filter === undefined ? [] : [filter] }, o),
    });
    return containers.map(({ id, labels }) => ({ id, labels }));
  }

  /** Nothing happens when there is none. */
  async delete(id: string, w: Wait = {}): Promise<void> {
    try {
      await this.#containerd.call(Containers, `remove container "${id}" of containerd`, {
        ...w,
        use: (client, o) => client.delete({ id }, o),
      });
    } catch (error) {
      if (!hasCode(error, 'GRPC_NOT_FOUND')) throw error;
    }
  }
}
