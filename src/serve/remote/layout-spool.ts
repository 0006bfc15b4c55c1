import { mkdirSync } from 'node:fs';
import { tempFolder, type Bytes, type Clock, type Random, type Wait } from '../../base/index.ts';
import { DiskBlobStore, type BlobReader, type BlobWriter, type Descriptor } from '../../blob/index.ts';
import { openImageOrIndex, openLayout, writeLayout, type BundleItem } from '../../image/index.ts';
import type { Sink } from '../../worker/index.ts';
import { remoteError } from './errors.ts';

/** What a daemon sends blob by blob, for an OCI layout in a folder: taken into a folder beside it, and put into the layout, under a name, when all has come. What the layout has is not sent again. */
export class LayoutSpool implements BlobReader, BlobWriter, Disposable {
  readonly #folder: string;
  readonly #random: Random;
  readonly #scratch: Disposable;
  readonly #spool: DiskBlobStore;
  readonly #there: BlobReader | undefined;

  /** Throws `REMOTE_UNSUPPORTED` for a sink that is no folder. */
  constructor(sink: Sink, o: { readonly what: string; readonly clock: Clock; readonly random: Random }) {
    if (sink.kind !== 'folder') throw remoteError('REMOTE_UNSUPPORTED', `write ${o.what}: it needs a folder`);
    this.#folder = sink.path;
    this.#random = o.random;
    mkdirSync(sink.path, { recursive: true });
    const scratch = tempFolder(sink.path, o.random);
    this.#scratch = scratch;
    this.#spool = new DiskBlobStore(scratch.path, o);
    this.#there = blobsOf(sink.path);
  }

  async has(descriptor: Descriptor, w?: Wait): Promise<boolean> {
    return (await this.#spool.has(descriptor, w)) || ((await this.#there?.has(descriptor, w)) ?? false);
  }

  async open(descriptor: Descriptor, o: { offset?: number; length?: number } & Wait = {}): Promise<Bytes> {
    const isNew = await this.#spool.has(descriptor, o);
    return isNew || !this.#there ? this.#spool.open(descriptor, o) : this.#there.open(descriptor, o);
  }

  put(content: Bytes, o: { mediaType: string; expect?: Descriptor; resume?: string } & Wait): Promise<Descriptor> {
    return this.#spool.put(content, o);
  }

  /** Puts what has come into the layout. Throws `REMOTE_INVALID` where it has not come. */
  async finish(
    descriptor: Descriptor | undefined,
    o: Pick<BundleItem, 'names' | 'refs'> & { readonly created?: string | undefined } & Wait,
  ): Promise<void> {
    if (!descriptor || !(await this.has(descriptor, o)))
      throw remoteError('REMOTE_INVALID', `write a layout to "${this.#folder}": the daemon has not sent it`);
    const image = await openImageOrIndex(descriptor, { blobs: this });
    const { names, refs, created, signal } = o;
    await writeLayout(this.#folder, [{ image, names, refs }], { random: this.#random, created, signal });
  }

  [Symbol.dispose](): void {
    this.#scratch[Symbol.dispose]();
  }
}

function blobsOf(folder: string): BlobReader | undefined {
  try {
    return openLayout(folder).blobs;
  } catch {
    return undefined;
  }
}
