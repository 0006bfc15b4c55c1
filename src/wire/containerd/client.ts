import { setImmediate } from 'node:timers/promises';
import {
  cancelled,
  hasErrno,
  throwIfCancelled,
  unlessCancelled,
  type CodedError,
  type Wait,
} from '../../base/index.ts';
import { Introspection } from '../gen/containerd/introspection_pb.ts';
import { Version } from '../gen/containerd/version_pb.ts';
import {
  Code,
  StatusError,
  fromStatus,
  openConnection,
  parseAddress,
  type CallOptions,
  type Client,
  type DescService,
  type GrpcConnection,
} from '../grpc/index.ts';
import { containerdError } from './errors.ts';

export const DEFAULT_ADDRESS = '/run/containerd/containerd.sock';

export interface ContainerdOptions {
  /** The path of its socket, or `unix:///path`. */
  readonly address: string;
  /** What one namespace has, another does not see; made when it is first used. */
  readonly namespace: string;
  /** What is made belongs to this lease too, and is spared by containerd's collector while that lasts. */
  readonly lease?: string | undefined;
}

/** A call's lease, instead of the client's. */
export type CallWait = Wait & { readonly lease?: string | undefined };

export interface Plugin {
  /** As `io.containerd.snapshotter.v1`. */
  readonly type: string;
  readonly id: string;
  readonly works: boolean;
  /** What it says of itself; `root` is where it keeps its files. */
  readonly exports: Readonly<Record<string, string>>;
}

interface Line {
  readonly connection: GrpcConnection;
  ended: boolean;
}

/**
 * A client of containerd, 1.6 or later. It connects when it is first used, and again when the connection has ended, so that it outlives a restart of containerd; a call that was under way then fails with `CONTAINERD_UNAVAILABLE`.
 * What containerd refuses comes as an error with the action first and the kind of its status.
 */
export class Containerd implements AsyncDisposable {
  readonly address: string;
  readonly namespace: string;
  readonly #lease: string | undefined;
  #line: Promise<Line> | undefined;
  #closed = false;

  constructor(o: ContainerdOptions) {
    this.address = o.address.startsWith('unix://') ? o.address : `unix://${o.address}`;
    this.namespace = o.namespace;
    this.#lease = o.lease;
  }

  /** Calls a service. `action` is what fails when it fails. */
  async call<S extends DescService, T>(
    service: S,
    action: string,
    o: { use: (client: Client<S>, o: CallOptions) => Promise<T> } & CallWait,
  ): Promise<T> {
    const { line, options } = await this.#ready(o);
    try {
      return await o.use(line.connection.client(service), options);
    } catch (error) {
      throw await failure(error, { action, line, signal: o.signal });
    }
  }

  /** As `call`, for a stream of answers. */
  async *stream<S extends DescService, T>(
    service: S,
    action: string,
    o: { use: (client: Client<S>, o: CallOptions) => AsyncIterable<T> } & CallWait,
  ): AsyncIterable<T> {
    const { line, options } = await this.#ready(o);
    try {
      yield* o.use(line.connection.client(service), options);
    } catch (error) {
      throw await failure(error, { action, line, signal: o.signal });
    }
  }

  /** As `1.6.20`. */
  async version(w: Wait = {}): Promise<{ readonly version: string; readonly revision: string }> {
    const { version, revision } = await this.call(Version, "ask containerd's version", {
      ...w,
      use: (client, o) => client.version({}, o),
    });
    return { version, revision };
  }

  /** What it is made of; `filter` as `type==io.containerd.snapshotter.v1`. */
  async plugins(filter?: string, w: Wait = {}): Promise<readonly Plugin[]> {
    const { plugins } = await this.call(Introspection, 'ask containerd for its plugins', {
      ...w,
      use: (client, o) => client.plugins({ filters: filter === undefined ? [] : [filter] }, o),
    });
    return plugins.map(({ type, id, initErr, exports }) => ({ type, id, works: initErr === undefined, exports }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const line = await this.#line?.catch(() => undefined);
    await line?.connection[Symbol.asyncDispose]();
  }

  async #ready(o: CallWait): Promise<{ line: Line; options: CallOptions }> {
    throwIfCancelled(o);
    const line = await unlessCancelled(this.#connected(), o);
    const lease = o.lease ?? this.#lease;
    const headers = {
      'containerd-namespace': this.namespace,
      ...(lease === undefined ? {} : { 'containerd-lease': lease }),
    };
    return { line, options: { headers, ...(o.signal ? { signal: o.signal } : {}) } };
  }

  async #connected(): Promise<Line> {
    for (;;) {
      if (this.#closed) throw containerdError('CONTAINERD_UNAVAILABLE', 'call containerd: the client was closed');
      const dialled = (this.#line ??= this.#dial());
      const line = await dialled.catch((error: unknown) => {
        if (this.#line === dialled) this.#line = undefined;
        throw error;
      });
      if (!line.ended) return line;
      if (this.#line === dialled) this.#line = undefined;
    }
  }

  async #dial(): Promise<Line> {
    try {
      const connection = await openConnection(parseAddress(this.address), { messageLimit: MESSAGE_LIMIT });
      const line: Line = { connection, ended: false };
      void connection.closed.then(() => (line.ended = true));
      return line;
    } catch (error) {
      throw unreachable(this.address, error as CodedError);
    }
  }
}

/** A client whose server has answered. Throws `CONTAINERD_UNAVAILABLE`, `CONTAINERD_DENIED`. */
export async function openContainerd(o: ContainerdOptions & Wait): Promise<Containerd> {
  const containerd = new Containerd(o);
  try {
    await containerd.version(o);
    return containerd;
  } catch (error) {
    await containerd[Symbol.asyncDispose]();
    throw error;
  }
}

/** As containerd's own clients (defaults.DefaultMaxRecvMsgSize). */
const MESSAGE_LIMIT = 16 << 20;

const BROKEN: ReadonlySet<Code> = new Set([Code.Unavailable, Code.Internal, Code.Aborted, Code.Canceled, Code.Unknown]);

/** What a call that failed means. */
async function failure(error: unknown, o: { readonly action: string; readonly line: Line } & Wait): Promise<unknown> {
  if (o.signal?.aborted) return cancelled(o.signal.reason);
  if (!(error instanceof StatusError)) return error;
  // That the connection has ended is told a moment after the calls on it failed.
  if (BROKEN.has(error.code)) await setImmediate();
  if (!o.line.ended && error.code !== Code.Unavailable) return fromStatus(error, o.action);
  return containerdError('CONTAINERD_UNAVAILABLE', `${o.action}: containerd has gone away: ${error.message}`, {
    cause: error,
  });
}

function unreachable(address: string, error: CodedError): Error {
  const denied = hasErrno(error.cause, 'EACCES', 'EPERM');
  const path = address.slice('unix://'.length);
  const detail = error.message.replace(/^connect to "[^"]*": /, '');
  return containerdError(
    denied ? 'CONTAINERD_DENIED' : 'CONTAINERD_UNAVAILABLE',
    `connect to containerd at "${path}": ${detail}`,
    {
      cause: error,
    },
  );
}
