import { closeSync, fstatSync, mkdirSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join, posix } from 'node:path';
import { hasErrno, throwIfCancelled, type Bytes, type Random, type Wait } from '../base/index.ts';
import { decompressed, compressionOf } from '../tree/index.ts';
import { imageError } from './errors.ts';
import { indexTar, type TarItem } from './tar-scan.ts';

/** A tar archive of which single files can be read: only its headers were looked at. */
export class ArchiveFile implements Disposable {
  /** What to call it in messages. */
  readonly what: string;
  readonly #fd: number;
  readonly #items: ReadonlyMap<string, TarItem>;
  #isOpen = true;

  private constructor(fd: number, o: { what: string; items: ReadonlyMap<string, TarItem> }) {
    this.#fd = fd;
    this.what = o.what;
    this.#items = o.items;
  }

  /**
   * Opens an archive by its path, or one that comes as a stream. What is compressed or comes as a stream is written to a nameless file in `temp` first, which is gone when this is disposed of or the process ends.
   * Throws `ARCHIVE_INVALID`.
   */
  static async open(
    source: string | Bytes,
    o: { temp: string; random: Random; what?: string | undefined } & Wait,
  ): Promise<ArchiveFile> {
    const what = o.what ?? (typeof source === 'string' ? source : 'the archive');
    let fd = typeof source === 'string' ? openArchive(source) : await spool(source, { ...o, what });
    try {
      if (compressionOf(readAt(fd, 0, 6)) !== 'none') {
        const packed = fdBytes(fd, { offset: 0, length: fstatSync(fd).size });
        const plain = await spool(await decompressed(packed, { what: `open archive "${what}"`, signal: o.signal }), {
          ...o,
          what,
        });
        closeSync(fd);
        fd = plain;
      }
      const { size } = fstatSync(fd);
      const opened = fd;
      const items = indexTar((offset, length) => readAt(opened, offset, length), { size, what: `archive "${what}"` });
      return new ArchiveFile(fd, { what, items: new Map(items.map((item) => [cleanName(item.name), item])) });
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** The file at `name`, links followed within the archive. */
  find(name: string): TarItem | undefined {
    let path = cleanName(name);
    for (let hops = 0; hops < 16; hops++) {
      const item = this.#items.get(path);
      if (item?.type === 'symlink') path = cleanName(posix.join(posix.dirname(path), item.link));
      else if (item?.type === 'hardlink') path = cleanName(item.link);
      else return item?.type === 'file' ? item : undefined;
    }
    return undefined;
  }

  /** The bytes of a file, or a part of them. */
  read(item: TarItem, o: { offset?: number | undefined; length?: number | undefined } & Wait = {}): Bytes {
    const offset = Math.min(o.offset ?? 0, item.size);
    const length = Math.min(o.length ?? item.size, item.size - offset);
    return fdBytes(this.#fd, { offset: item.offset + offset, length, signal: o.signal, isOpen: () => this.#isOpen });
  }

  /** All of a small file. Throws `ARCHIVE_INVALID` when it is missing or above `limit` bytes. */
  readSmall(name: string, limit: number): Buffer {
    const item = this.find(name);
    if (!item) throw imageError('ARCHIVE_INVALID', `open archive "${this.what}": "${name}" is missing`);
    if (item.size > limit)
      throw imageError('ARCHIVE_INVALID', `open archive "${this.what}": "${name}" is larger than ${limit} bytes`);
    return readAt(this.#fd, item.offset, item.size);
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) closeSync(this.#fd);
    this.#isOpen = false;
  }
}

function openArchive(path: string): number {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR'))
      throw imageError('ARCHIVE_NOT_FOUND', `open archive "${path}": there is no such file`, { cause: error });
    throw error;
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw imageError('ARCHIVE_INVALID', `open archive "${path}": not a file`);
}

async function spool(content: Bytes, o: { temp: string; random: Random; what: string } & Wait): Promise<number> {
  mkdirSync(o.temp, { recursive: true });
  const path = join(o.temp, `archive-${process.pid}-${o.random.hex(6)}`);
  const fd = openSync(path, 'wx+', 0o600);
  try {
    unlinkSync(path);
    for await (const chunk of content) {
      throwIfCancelled(o);
      for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
    }
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

async function* fdBytes(fd: number, o: { offset: number; length: number; isOpen?: () => boolean } & Wait): Bytes {
  for (let at = 0; at < o.length;) {
    throwIfCancelled(o);
    if (o.isOpen?.() === false) throw imageError('ARCHIVE_INVALID', 'read archive: it was closed');
    const chunk = readAt(fd, o.offset + at, Math.min(1 << 20, o.length - at));
    if (chunk.length === 0) throw imageError('ARCHIVE_INVALID', 'read archive: it ends early');
    at += chunk.length;
    yield chunk;
  }
}

function readAt(fd: number, offset: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafeSlow(length);
  let at = 0;
  while (at < length) {
    const n = readSync(fd, buffer, at, length - at, offset + at);
    if (n === 0) break;
    at += n;
  }
  return at === length ? buffer : buffer.subarray(0, at);
}

function cleanName(name: string): string {
  return posix.normalize(`/${name}`).replace(/^\/|\/$/g, '');
}
