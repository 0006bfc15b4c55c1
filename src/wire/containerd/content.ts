import {
  hasCode,
  sleep,
  throwIfCancelled,
  unlessCancelled,
  type Bytes,
  type Random,
  type Wait,
} from '../../base/index.ts';
import {
  algorithmOf,
  blobError,
  Digester,
  parseDigest,
  verified,
  type BlobInfo,
  type BlobStore,
  type Descriptor,
  type Digest,
} from '../../blob/index.ts';
import { Content, WriteAction } from '../gen/containerd/content_pb.ts';
import { timestampMs } from '../grpc/index.ts';
import type { CallWait, Containerd } from './client.ts';
import { containerdError } from './errors.ts';

/** Bytes of one message. */
const CHUNK = 1 << 20;

/** containerd's content store, as one of blobs. It knows digests by sha256 alone. What nothing refers to (a label, a lease) is taken away by its collector. */
export class ContainerdContent implements BlobStore {
  readonly #containerd: Containerd;
  readonly #random: Random;
  /** Deletes on their way, which a later question must not overtake. */
  readonly #deleting = new Map<Digest, Promise<unknown>>();

  readonly #labels: Readonly<Record<string, string>>;

  /** `labels` are given to every blob that is stored. */
  constructor(
    containerd: Containerd,
    o: { readonly random: Random; readonly labels?: Readonly<Record<string, string>> | undefined },
  ) {
    this.#containerd = containerd;
    this.#random = o.random;
    this.#labels = o.labels ?? {};
  }

  async has(descriptor: Descriptor, w: Wait = {}): Promise<boolean> {
    return (await this.info(descriptor.digest, w)) !== undefined;
  }

  /** What it knows of a blob; undefined when there is none. */
  async info(
    digest: Digest,
    w: Wait = {},
  ): Promise<{ readonly size: number; readonly labels: Readonly<Record<string, string>> } | undefined> {
    await this.#deleting.get(digest);
    try {
      const { info } = await this.#containerd.call(Content, `look for blob ${digest} in containerd`, {
        ...w,
        use: (client, o) => client.info({ digest }, o),
      });
      return { size: Number(info?.size ?? 0n), labels: info?.labels ?? {} };
    } catch (error) {
      if (hasCode(error, 'GRPC_NOT_FOUND')) return undefined;
      throw error;
    }
  }

  async open(descriptor: Descriptor, o: { offset?: number; length?: number } & Wait = {}): Promise<Bytes> {
    const { digest } = descriptor;
    const info = await this.info(digest, o);
    if (!info) throw blobError('BLOB_NOT_FOUND', `open blob ${digest}: containerd does not have it`);
    const { offset = 0 } = o;
    const length = Math.min(o.length ?? info.size, Math.max(0, info.size - offset));
    const content = this.#read(digest, { offset, length, signal: o.signal });
    const whole = offset === 0 && o.length === undefined;
    return whole ? verified(content, { ...descriptor, size: info.size }) : content;
  }

  /** `labels` are given to what was not there. */
  async put(
    content: Bytes,
    o: {
      mediaType: string;
      expect?: Descriptor;
      resume?: string;
      labels?: Readonly<Record<string, string>> | undefined;
    } & CallWait,
  ): Promise<Descriptor> {
    throwIfCancelled(o);
    const { expect, mediaType } = o;
    if (expect) {
      if (algorithmOf(expect.digest) !== 'sha256')
        throw containerdError(
          'CONTAINERD_UNSUPPORTED',
          `store blob ${expect.digest} in containerd: it takes sha256 alone`,
        );
      if (await this.has(expect, o)) return { ...expect, mediaType };
    }
    const ref = `strake-${this.#random.hex(12)}`;
    const digester = new Digester('sha256');
    const labels = { ...this.#labels, ...o.labels };
    let fault: unknown;
    let stored: Digest | undefined;
    const messages = async function* () {
      yield { action: WriteAction.STAT, ref };
      try {
        for await (const chunk of untilCancelled(content, o)) {
          for (let at = 0; at < chunk.length; at += CHUNK) {
            const data = chunk.subarray(at, at + CHUNK);
            yield { action: WriteAction.WRITE, ref, offset: BigInt(digester.size), data };
            digester.update(data);
          }
        }
        throwIfCancelled(o);
        stored = digester.digest();
        if (expect && (expect.digest !== stored || expect.size !== digester.size))
          throw blobError(
            'BLOB_MISMATCH',
            `store blob ${expect.digest}: the content has digest ${stored} and ${digester.size} bytes`,
          );
      } catch (error) {
        fault = error;
        return;
      }
      const total = BigInt(digester.size);
      yield { action: WriteAction.COMMIT, ref, total, expected: stored, offset: total, labels };
    };
    try {
      // Without the signal: an upload that is broken off may be begun after it was given up. It is ended, then given up.
      await this.#containerd.call(Content, 'store a blob in containerd', {
        lease: o.lease,
        use: async (client, options) => {
          for await (const _ of client.write(messages(), options));
        },
      });
      if (fault !== undefined) throw fault;
    } catch (error) {
      if (fault === undefined && hasCode(error, 'GRPC_ALREADY_EXISTS') && stored !== undefined)
        return { mediaType, digest: stored, size: digester.size };
      await this.#abort(ref);
      throw fault ?? error;
    }
    return { mediaType, digest: stored ?? digester.digest(), size: digester.size };
  }

  /** Sets labels and leaves the others; an empty value takes one away. */
  async label(digest: Digest, labels: Readonly<Record<string, string>>, w: Wait = {}): Promise<void> {
    const paths = Object.keys(labels).map((name) => `labels.${name}`);
    await this.#containerd.call(Content, `label blob ${digest} in containerd`, {
      ...w,
      use: (client, o) => client.update({ info: { digest, labels: { ...labels } }, updateMask: { paths } }, o),
    });
  }

  async *list(w: Wait = {}): AsyncIterable<BlobInfo> {
    const stream = this.#containerd.stream(Content, 'list the blobs of containerd', {
      ...w,
      use: (client, o) => client.list({}, o),
    });
    for await (const { info } of stream)
      for (const { digest, size, createdAt, updatedAt } of info) {
        const at = updatedAt ?? createdAt;
        yield { digest: parseDigest(digest), size: Number(size), storedAt: at ? timestampMs(at) : 0 };
      }
  }

  async delete(digest: Digest, w: Wait = {}): Promise<boolean> {
    const deleted = this.#delete(digest, w);
    this.#deleting.set(
      digest,
      deleted.catch(() => undefined),
    );
    try {
      return await deleted;
    } finally {
      this.#deleting.delete(digest);
    }
  }

  async #delete(digest: Digest, w: Wait): Promise<boolean> {
    try {
      await this.#containerd.call(Content, `delete blob ${digest} of containerd`, {
        ...w,
        use: (client, o) => client.delete({ digest }, o),
      });
      return true;
    } catch (error) {
      if (hasCode(error, 'GRPC_NOT_FOUND')) return false;
      throw error;
    }
  }

  async *#read(digest: Digest, o: { offset: number; length: number } & Wait): Bytes {
    // Size 0 would mean all that is left.
    if (o.length === 0) return;
    const request = { digest, offset: BigInt(o.offset), size: BigInt(o.length) };
    const stream = this.#containerd.stream(Content, `read blob ${digest} of containerd`, {
      ...o,
      use: (client, options) => client.read(request, options),
    });
    for await (const { data } of stream) yield data;
  }

  /** Gives up an upload; one that is gone already is given up, and one whose stream is still ending is waited for. */
  async #abort(ref: string): Promise<void> {
    for (let tries = 0; tries < ABORTS; tries++) {
      try {
        await this.#containerd.call(Content, 'give up an upload to containerd', {
          use: (client, o) => client.abort({ ref }, o),
        });
      } catch (error) {
        if (hasCode(error, 'GRPC_NOT_FOUND')) return;
      }
      await sleep(ABORT_MS);
    }
  }
}

async function* untilCancelled(content: Bytes, w: Wait): Bytes {
  const chunks = content[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await unlessCancelled(chunks.next(), w);
      throwIfCancelled(w);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    void chunks.return?.().catch(() => undefined);
  }
}

const ABORTS = 20;
const ABORT_MS = 5;
