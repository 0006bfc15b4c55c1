import { closeSync, constants, openSync, readSync } from 'node:fs';
import { hasErrno, type Wait } from '../base/index.ts';
import type { DiskBlobStore } from '../blob/index.ts';
import { inOrder } from './compare-entries.ts';
import type { Entry } from './entry.ts';
import { treeError } from './errors.ts';
import type { FileRegion, FileTree, WatchedRegion } from './file-tree.ts';
import { layerEntries } from './layer-entries.ts';
import { LayerSink } from './layer-sink.ts';
import type { Codec, Dialect, WrittenLayer } from './layer.ts';
import { longHeader, writeShortHeader } from './tar-encoder.ts';
import { BLOCK } from './tar-header.ts';
import type { Place } from './tar-index.ts';
import { writeToc } from './toc.ts';

export interface LayerOptions extends Wait {
  readonly store: DiskBlobStore;
  readonly dialect: Dialect;
  /** Seconds since 1970: entries of a later mtime get this one (SOURCE_DATE_EPOCH). */
  readonly epoch?: number | undefined;
  /** Also compress, in the same pass. */
  readonly codec?: Codec | undefined;
  /** Store the tar, and its table of contents, under its diffID: by default true. */
  readonly keepTar?: boolean | undefined;
  /** Told the bytes of the tar so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/**
 * Writes a tree as a layer: one pass, bounded memory, the same bytes for the same content in whatever order it comes (see `layerEntries`). A tree of no entries is the empty layer, 1024 zero bytes.
 * Throws `FILE_CHANGED` when a file is shorter than its entry says, or gone; `FILE_UNREADABLE`; `ENTRY_UNENCODABLE`. Then nothing is stored.
 */
export async function writeLayer(tree: FileTree, o: LayerOptions): Promise<WrittenLayer> {
  const items = layerEntries(await tree.entries(o), o);
  const regionOf = (content: Entry): FileRegion | WatchedRegion | undefined =>
    tree.locate?.(content) ?? tree.watched?.(content);
  using sink = await LayerSink.open(o);
  using disk = new RegionReader();
  const streamed = new StreamReader(
    tree,
    items.flatMap(({ content }) => (content && content.size > 0 && !regionOf(content) ? [content] : [])),
    o,
  );
  const places = new Map<string, Place>();
  let { block } = sink;
  let at = 0;
  try {
    for (let i = 0; i < items.length; i++) {
      const { entry, name, content } = items[i]!;
      if (at === block.length) [block, at] = [await sink.next(), 0];
      if (writeShortHeader(entry, name, block, at)) at += BLOCK;
      else {
        const header = longHeader(entry, name);
        for (let from = 0; from < header.length; from += BLOCK) {
          if (at === block.length) [block, at] = [await sink.next(), 0];
          header.copy(block, at, from, from + BLOCK);
          at += BLOCK;
        }
      }
      if (!content) continue;
      places.set(entry.path, sink.size + at);
      const region = content.size > 0 ? regionOf(content) : undefined;
      if (region) disk.open(region, content);
      for (let left = content.size; left > 0;) {
        if (at === block.length) [block, at] = [await sink.next(), 0];
        const want = Math.min(left, block.length - at);
        const n = region
          ? disk.read(block, at, want)
          : streamed.ready(want, block, at) || (await streamed.read(content, want, block, at));
        at += n;
        left -= n;
      }
      if (region) disk.end();
      const padding = -content.size & (BLOCK - 1);
      if (padding > 0) block.fill(0, at, at + padding);
      at += padding;
    }
    for (let zeros = 2 * BLOCK; zeros > 0; zeros -= BLOCK) {
      if (at === block.length) [block, at] = [await sink.next(), 0];
      block.fill(0, at, at + BLOCK);
      at += BLOCK;
    }
  } finally {
    await streamed.close();
  }
  const written = await sink.finish(at);
  if (o.keepTar !== false) {
    const entries = inOrder(items.map(({ entry }) => entry));
    writeToc(o.store, written.diffId, { entries, places });
  }
  return written;
}

/** Reads file regions in order; files that hold several regions stay open. */
class RegionReader implements Disposable {
  readonly #kept = new Map<string | Buffer, number>();
  #fd = -1;
  /** The open file is closed after this region. */
  #once = false;
  #file: Entry | undefined;
  #region: FileRegion | WatchedRegion | undefined;
  #offset = 0;

  open(region: FileRegion | WatchedRegion, file: Entry): void {
    const { path, offset } = region;
    this.#file = file;
    this.#region = region;
    this.#offset = offset;
    const kept = this.#kept.get(path);
    this.#fd = kept ?? this.#openFile(path, file);
    this.#once = kept === undefined && offset === 0;
    if (kept !== undefined || this.#once) return;
    const [oldest] = this.#kept;
    if (oldest && this.#kept.size >= 8) {
      closeSync(oldest[1]);
      this.#kept.delete(oldest[0]);
    }
    this.#kept.set(path, this.#fd);
  }

  read(into: Buffer, at: number, length: number): number {
    const n = this.#read(into, at, length);
    if (n === 0) throw changed(this.#file!, 'it has become shorter');
    this.#offset += n;
    return n;
  }

  /** All of the region has been read. */
  end(): void {
    if (this.#region && 'check' in this.#region) this.#region.check(this.#fd);
    this.close();
  }

  close(): void {
    if (this.#once) closeSync(this.#fd);
    this.#once = false;
  }

  [Symbol.dispose](): void {
    this.close();
    for (const fd of this.#kept.values()) closeSync(fd);
    this.#kept.clear();
  }

  #read(into: Buffer, at: number, length: number): number {
    try {
      return readSync(this.#fd, into, at, length, this.#offset);
    } catch (error) {
      if (hasErrno(error, 'EISDIR', 'EAGAIN', 'ESPIPE'))
        throw changed(this.#file!, 'it is no regular file any more', error);
      throw error;
    }
  }

  /** Neither follows a symlink nor waits for a fifo that has taken the place of the file. */
  #openFile(path: string | Buffer, file: Entry): number {
    try {
      return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO')) throw changed(file, 'it is gone', error);
      if (hasErrno(error, 'EACCES', 'EPERM'))
        throw treeError('FILE_UNREADABLE', `read "${file.path}": permission denied`, {
          cause: error,
          remedy: 'Make it readable for the user who builds, or leave it out (.dockerignore).',
        });
      throw error;
    }
  }
}

/** Reads the contents that lie nowhere on disk, back to back. */
class StreamReader {
  readonly #chunks: AsyncIterator<Uint8Array> | undefined;
  #chunk: Uint8Array = new Uint8Array(0);
  #used = 0;

  constructor(tree: FileTree, files: readonly Entry[], w: Wait) {
    this.#chunks = files.length > 0 ? tree.read(files, w)[Symbol.asyncIterator]() : undefined;
  }

  /** Copies what has come already, at most `want` bytes. */
  ready(want: number, into: Buffer, at: number): number {
    const n = Math.min(want, this.#chunk.length - this.#used);
    if (n > 0) into.set(n === this.#chunk.length ? this.#chunk : this.#chunk.subarray(this.#used, this.#used + n), at);
    this.#used += n;
    return n;
  }

  async read(file: Entry, want: number, into: Buffer, at: number): Promise<number> {
    do {
      const { done, value } = (await this.#chunks?.next()) ?? { done: true, value: undefined };
      if (done || !value) throw changed(file, 'its content ended early');
      this.#chunk = value;
      this.#used = 0;
    } while (this.#chunk.length === 0);
    return this.ready(want, into, at);
  }

  async close(): Promise<void> {
    await this.#chunks?.return?.();
  }
}

function changed(file: Entry, detail: string, cause?: unknown): Error {
  return treeError('FILE_CHANGED', `read "${file.path}": ${detail} since it was looked at`, {
    ...(cause === undefined ? {} : { cause }),
    remedy: 'Build again when nothing writes to it.',
  });
}
