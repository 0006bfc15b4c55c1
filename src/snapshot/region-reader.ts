import { closeSync, openSync, readSync } from 'node:fs';
import { treeError, type FileRegion } from '../tree/index.ts';
import { writeAll } from './files.ts';

const WINDOW = 1 << 20;
const SMALL = 1 << 16;

/** Copies regions of a file that lie one after the other, small ones out of one large read. */
export class RegionReader {
  readonly #window = Buffer.allocUnsafeSlow(WINDOW);
  #path: string | Buffer | undefined;
  #fd = -1;
  #start = 0;
  #end = 0;

  /** Writes all of a region to where `fd` stands. Throws `FILE_CHANGED` when the file ends before it. */
  copyTo(fd: number, region: FileRegion): void {
    this.#open(region.path);
    let at = region.offset;
    for (let left = region.length; left > 0;) {
      if (at < this.#start || at >= this.#end) this.#fill(at, left);
      const n = Math.min(left, this.#end - at);
      writeAll(fd, this.#window, at - this.#start, n);
      at += n;
      left -= n;
    }
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    this.#path = undefined;
  }

  #open(path: string | Buffer): void {
    if (path === this.#path) return;
    this.close();
    this.#fd = openSync(path, 'r');
    this.#path = path;
    this.#start = this.#end = 0;
  }

  /** A region not far behind the last one is read with what follows it; one somewhere else alone. */
  #fill(at: number, wanted: number): void {
    const near = this.#end === 0 || (at >= this.#end && at - this.#end < SMALL);
    const n = readSync(this.#fd, this.#window, 0, near ? WINDOW : Math.min(WINDOW, Math.max(wanted, SMALL)), at);
    if (n === 0) throw treeError('FILE_CHANGED', `read "${String(this.#path)}": it ends ${wanted} bytes early`);
    this.#start = at;
    this.#end = at + n;
  }
}
