import { kindOf, messageOf, throwIfCancelled, type Wait } from '../../../base/index.ts';
import { isDigest, type BlobReader, type BlobWriter, type Descriptor, type Digest } from '../../../blob/index.ts';
import {
  WriteAction,
  type WriteContentRequest,
  type WriteContentResponseSchema,
} from '../../gen/containerd/content_pb.ts';
import { Code, StatusError, type MessageInitShape } from '../../grpc/index.ts';

/** Serves a write to a content store (containerd.services.content.v1.Content/Write): nothing is stored but by a commit whose digest is right; a write that breaks off begins anew. */
export async function* writeContent(
  requests: AsyncIterable<WriteContentRequest>,
  store: BlobReader & Partial<BlobWriter>,
  w: Wait,
): AsyncIterable<MessageInitShape<typeof WriteContentResponseSchema>> {
  if (!store.put) throw new StatusError(Code.PermissionDenied, 'this store is not written to');
  const pieces = new Handover();
  let stored: Promise<Descriptor> | undefined;
  let offset = 0;
  let first = true;
  try {
    for await (const request of requests) {
      throwIfCancelled(w);
      const { action, expected, total, data } = request;
      const expect =
        isDigest(expected) && total > 0n ? { mediaType: MEDIA, digest: expected, size: Number(total) } : undefined;
      if (first && isDigest(expected) && (await store.has(ingested(expected, request.ref), w)))
        throw new StatusError(Code.AlreadyExists, `content ${expected} already exists`);
      first = false;
      stored ??= store.put(pieces, { mediaType: MEDIA, ...(expect && { expect }), signal: w.signal });
      stored.catch(() => undefined);
      if (data.length > 0) {
        if (Number(request.offset) !== offset)
          throw new StatusError(Code.OutOfRange, `write at ${request.offset}: the content is ${offset} bytes`);
        await Promise.race([pieces.give(data), stored]);
        offset += data.length;
      }
      if (action !== WriteAction.COMMIT) {
        yield { action, offset: BigInt(offset), total };
        continue;
      }
      pieces.end();
      const { digest } = await stored;
      if (expected !== '' && expected !== digest)
        throw new StatusError(Code.FailedPrecondition, `the content is ${digest}, not ${expected}`);
      yield { action, offset: BigInt(offset), total: BigInt(offset), digest };
      return;
    }
  } catch (error) {
    if (error instanceof StatusError) throw error;
    if (kindOf(error) === 'failed') throw new StatusError(Code.FailedPrecondition, messageOf(error), { cause: error });
    throw error;
  } finally {
    pieces.end(new StatusError(Code.Canceled, 'the write was broken off'));
  }
}

const MEDIA = 'application/octet-stream';

/** What is to be written: `ref` says of which kind it is (containerd's remotes.MakeRefKey: `layer-…`, `config-…`, `manifest-…`). */
function ingested(digest: Digest, ref: string): Descriptor {
  return { mediaType: MEDIA, digest, size: -1, annotations: { [INGEST_REF]: ref } };
}

/** The annotation in which a store is told the name of an ingest when it is asked whether it has the blob. */
export const INGEST_REF = 'containerd.io/ingest-ref';

/** Gives pieces to one who iterates, each when the last one has been taken. */
class Handover implements AsyncIterable<Uint8Array> {
  #piece: { readonly data: Uint8Array; readonly taken: () => void } | undefined;
  #wake: (() => void) | undefined;
  #end: { readonly error?: unknown } | undefined;

  async give(data: Uint8Array): Promise<void> {
    await new Promise<void>((taken) => {
      this.#piece = { data, taken };
      this.#wake?.();
    });
  }

  end(error?: unknown): void {
    this.#end ??= error === undefined ? {} : { error };
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for (;;) {
      const piece = this.#piece;
      if (piece) {
        this.#piece = undefined;
        yield piece.data;
        piece.taken();
        continue;
      }
      if (this.#end) {
        if ('error' in this.#end) throw this.#end.error;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
