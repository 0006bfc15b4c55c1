import { readFileSync } from 'node:fs';
import { realpathIfThere } from './files.ts';

/** What a path of a root may be to its keeper. `free`: anything. `holder`: a folder above something guarded, which must stay a folder. `guarded`: not to be looked at or touched, nor anything below. */
export type Guard = 'free' | 'holder' | 'guarded';

/** Places of a root that belong to somebody else: strake's own files, the kernel's, whatever is mounted. Paths of the root, without a leading "/". */
export class GuardedPaths {
  readonly #guarded = new Set<string>();
  readonly #holders = new Set<string>();

  constructor(paths: Iterable<string>) {
    for (const path of paths) {
      const clean = path.split('/').filter((part) => part !== '' && part !== '.');
      if (clean.length === 0 || clean.includes('..')) continue;
      this.#guarded.add(clean.join('/'));
      for (let n = clean.length - 1; n > 0; n--) this.#holders.add(clean.slice(0, n).join('/'));
    }
  }

  /** All of them, without a leading "/". */
  get paths(): ReadonlySet<string> {
    return this.#guarded;
  }

  /** What `path` is, if what it lies in is `free` or a `holder`. */
  at(path: string): Guard {
    if (this.#guarded.has(path)) return 'guarded';
    return this.#holders.has(path) ? 'holder' : 'free';
  }

  /** True for a guarded path and for all below one. */
  covers(path: string): boolean {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1))
      if (this.#guarded.has(path.slice(0, end))) return true;
    return false;
  }
}

/** What nobody may touch in a container: the kernel's file systems, and the mark by which its makers know it. */
const ALWAYS = ['/proc', '/sys', '/dev', '/.dockerenv'];

/** The guarded paths of this machine's own root: what is mounted on it, and `own`, with the places that links among them lead to. */
export function guardedHere(own: readonly string[]): GuardedPaths {
  const real = own.flatMap((path) => realpathIfThere(path) ?? []);
  return new GuardedPaths([...ALWAYS, ...own, ...real, ...mountPoints()]);
}

/** Mount points of this process, by proc(5), mountinfo. */
function mountPoints(): string[] {
  return readFileSync('/proc/self/mountinfo', 'latin1')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .map((point) => point.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))))
    .map((point) => Buffer.from(point, 'latin1').toString());
}
