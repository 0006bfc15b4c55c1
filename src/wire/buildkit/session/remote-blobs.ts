import { Channel, kindOf, throwIfCancelled, type Bytes, type Wait } from '../../../base/index.ts';
import {
  algorithmOf,
  blobError,
  Digester,
  verified,
  type BlobReader,
  type BlobWriter,
  type Descriptor,
  type Digest,
} from '../../../blob/index.ts';
import { Content, WriteAction, type WriteContentRequestSchema } from '../../gen/containerd/content_pb.ts';
import { fromStatus, type CallOptions, type GrpcConnection, type MessageInitShape } from '../../grpc/index.ts';

export const STORE_HEADER = 'buildkit-attachable-store-id';

/** Bytes of one message of content: less than the 4 MiB that gRPC's peers take by default. */
const PIECE = 1 << 20;

/** A content store of a client's (containerd.services.content.v1 with BuildKit's header for which): `oci:NAME` for a layout, `local:…` for a cache, `export` for a layout that is written. Whole reads are verified. */
export function remoteBlobs(
  connection: GrpcConnection,
  store: string,
): BlobReader & BlobWriter & { sizeOf(digest: Digest): Promise<number> } {
  const client = connection.client(Content);
  const headers = { [STORE_HEADER]: store };
  return {
    async has({ digest }: Descriptor, w?: Wait): Promise<boolean> {
      throwIfCancelled(w);
      try {
        const { info } = await client.info({ digest }, options(headers, w));
        return info !== undefined;
      } catch (error) {
        throwIfCancelled(w);
        if (kindOf(fromStatus(error)) === 'not_found') return false;
        throw fromStatus(error, `look for blob ${digest} in the client's store "${store}"`);
      }
    },

    sizeOf: async (digest) => sizeOf({ digest }),

    async open(d: Descriptor, o: { offset?: number; length?: number } & Wait = {}): Promise<Bytes> {
      throwIfCancelled(o);
      const { offset = 0, length } = o;
      const bytes = pieces(d, { ...o, offset, length });
      // The first piece tells whether there is such a blob.
      const first = await bytes.next();
      const all = (async function* (): Bytes {
        if (first.done !== true) yield first.value;
        yield* bytes;
      })();
      if (offset !== 0 || length !== undefined) return all;
      // A cache is named by its digest alone.
      return verified(all, d.size > 0 ? d : { ...d, size: await sizeOf(d, o) });
    },

    async put(
      content: Bytes,
      o: { mediaType: string; expect?: Descriptor; resume?: string } & Wait,
    ): Promise<Descriptor> {
      throwIfCancelled(o);
      const ref = `strake-${o.expect?.digest ?? o.resume ?? 'upload'}`;
      const total = BigInt(o.expect?.size ?? 0);
      const requests = new Channel<MessageInitShape<typeof WriteContentRequestSchema>>();
      const digester = new Digester(o.expect ? algorithmOf(o.expect.digest) : 'sha256');
      const describe = (digest: Digest): Descriptor => ({ mediaType: o.mediaType, digest, size: digester.size });
      try {
        const answers = client.write(requests, options(headers, o))[Symbol.asyncIterator]();
        const say = async (request: MessageInitShape<typeof WriteContentRequestSchema>): Promise<void> => {
          requests.push({ ref, total, expected: o.expect?.digest ?? '', ...request });
          const answer = await answers.next();
          if (answer.done === true) throw new TypeError('the store ended the call');
        };
        await say({ action: WriteAction.STAT });
        for await (const chunk of content) {
          throwIfCancelled(o);
          for (let at = 0; at < chunk.length; at += PIECE) {
            const data = chunk.subarray(at, at + PIECE);
            await say({ action: WriteAction.WRITE, offset: BigInt(digester.size), data });
            digester.update(data);
          }
        }
        const digest = digester.digest();
        if (o.expect && (digest !== o.expect.digest || digester.size !== o.expect.size))
          throw blobError('BLOB_MISMATCH', `store blob ${o.expect.digest}: the content is ${digest}`);
        await say({
          action: WriteAction.COMMIT,
          offset: BigInt(digester.size),
          total: BigInt(digester.size),
          expected: digest,
        });
        return describe(digest);
      } catch (error) {
        throwIfCancelled(o);
        const failure = fromStatus(error, `write blob to the client's store "${store}"`);
        if (o.expect && failure.code === 'GRPC_ALREADY_EXISTS') return o.expect;
        throw failure;
      } finally {
        requests.end();
      }
    },
  };

  async function sizeOf({ digest }: Pick<Descriptor, 'digest'>, w?: Wait): Promise<number> {
    const { info } = await client.info({ digest }, options(headers, w));
    return Number(info?.size ?? 0n);
  }

  async function* pieces(
    { digest }: Descriptor,
    { offset, length, ...w }: { offset: number; length: number | undefined } & Wait,
  ): AsyncGenerator<Uint8Array> {
    try {
      // A server refuses to read past the end; no size is all there is.
      const size = length === undefined ? 0 : Math.min(length, (await sizeOf({ digest }, w)) - offset);
      if (length !== undefined && size <= 0) return;
      const answers = client.read({ digest, offset: BigInt(offset), size: BigInt(size) }, options(headers, w));
      for await (const { data } of answers) if (data.length > 0) yield data;
    } catch (error) {
      throwIfCancelled(w);
      const failure = fromStatus(error, `read blob ${digest} of the client's store "${store}"`);
      if (failure.kind === 'not_found') throw blobError('BLOB_NOT_FOUND', failure.message, { cause: failure });
      throw failure;
    }
  }
}

function options(headers: Readonly<Record<string, string>>, w?: Wait): CallOptions {
  return w?.signal ? { headers, signal: w.signal } : { headers };
}
