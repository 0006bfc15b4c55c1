import { collect, type Bytes, type Wait } from '../../base/index.ts';
import {
  blobError,
  digestOf,
  type BlobReader,
  type BlobWriter,
  type Descriptor,
  type Digest,
} from '../../blob/index.ts';
import { INGEST_REF } from '../../wire/buildkit/index.ts';

/** A manifest or config of an image is no larger. */
const LIMIT = 16 << 20;

/** Takes the manifests and configs of images, and says of their layers that they are here already: what an image is made of can be read without its layers being sent. */
export class ShapeStore implements BlobReader, BlobWriter {
  readonly #blobs = new Map<Digest, Uint8Array>();

  async has({ digest, annotations }: Descriptor): Promise<boolean> {
    return this.#blobs.has(digest) || annotations?.[INGEST_REF]?.startsWith('layer-') === true;
  }

  async open(
    { digest }: Descriptor,
    { offset = 0, length = Infinity }: { offset?: number; length?: number } = {},
  ): Promise<Bytes> {
    const content = this.#blobs.get(digest);
    if (!content) throw blobError('BLOB_NOT_FOUND', `read "${digest}": it was not sent`);
    return (async function* () {
      yield content.subarray(offset, offset + length);
    })();
  }

  async put(content: Bytes, o: { mediaType: string; expect?: Descriptor } & Wait): Promise<Descriptor> {
    const bytes = await collect(content, { limit: LIMIT, what: 'what an image is made of' });
    const digest = digestOf(bytes);
    if (o.expect && o.expect.digest !== digest)
      throw blobError('BLOB_MISMATCH', `store "${o.expect.digest}": what was sent is "${digest}"`);
    this.#blobs.set(digest, bytes);
    return { mediaType: o.mediaType, digest, size: bytes.length };
  }

  /** `rootfs.diff_ids` of the image with this manifest; undefined where it was not sent. */
  diffIds(manifest: Digest): readonly string[] | undefined {
    const config = parsed(this.#blobs.get(manifest))?.config?.digest;
    return parsed(this.#blobs.get(config as Digest))?.rootfs?.diff_ids;
  }
}

interface Said {
  readonly config?: { readonly digest?: string };
  readonly rootfs?: { readonly diff_ids?: readonly string[] };
}

function parsed(bytes: Uint8Array | undefined): Said | undefined {
  if (!bytes) return undefined;
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as Said;
  } catch {
    return undefined;
  }
}
