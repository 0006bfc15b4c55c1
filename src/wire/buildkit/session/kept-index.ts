import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Digest } from '../../../blob/index.ts';

/** A file whose content is kept: where in which pack, and what the client said of it then. */
export interface KeptFile {
  /** Mode, size and time as the client sent them: a file of which they are the same is taken for unchanged, as BuildKit takes it. */
  readonly stat: string;
  readonly pack: string;
  readonly offset: number;
  readonly size: number;
  readonly digest: Digest;
  /** Seconds since the epoch when a build last had it. */
  readonly seen: number;
}

export interface KeptIndex {
  /** The boot in which it was written: packs are not synced, so that in another one their content is to be looked at. */
  readonly boot: string;
  readonly files: ReadonlyMap<string, KeptFile>;
}

const VERSION = 1;

interface Columns {
  readonly version: number;
  readonly boot: string;
  readonly packs: readonly string[];
  readonly paths: readonly string[];
  readonly stats: readonly string[];
  readonly pack: readonly number[];
  readonly offsets: readonly number[];
  readonly sizes: readonly number[];
  readonly seen: readonly number[];
  /** 64 hexadecimal digits each. */
  readonly digests: string;
}

/** What cannot be read is nothing kept. */
export function readIndex(path: string): KeptIndex {
  const files = new Map<string, KeptFile>();
  try {
    const c = JSON.parse(readFileSync(path, 'utf8')) as Columns;
    if (c.version !== VERSION || c.digests.length !== 64 * c.paths.length) return { boot: '', files };
    for (let i = 0; i < c.paths.length; i++) {
      const pack = c.packs[c.pack[i]!];
      if (pack === undefined || !/^[0-9a-f]+$/.test(pack)) return { boot: '', files: new Map() };
      files.set(c.paths[i]!, {
        stat: c.stats[i]!,
        pack,
        offset: c.offsets[i]!,
        size: c.sizes[i]!,
        digest: `sha256:${c.digests.slice(64 * i, 64 * i + 64)}`,
        seen: c.seen[i]!,
      });
    }
    return { boot: c.boot, files };
  } catch {
    return { boot: '', files: new Map() };
  }
}

/** Atomically. */
export function writeIndex(path: string, index: KeptIndex, temporary: string): void {
  const packs = new Map<string, number>();
  const files = [...index.files.values()];
  const columns: Columns = {
    version: VERSION,
    boot: index.boot,
    paths: [...index.files.keys()],
    stats: files.map(({ stat }) => stat),
    pack: files.map(({ pack }) => packs.get(pack) ?? (packs.set(pack, packs.size), packs.size - 1)),
    offsets: files.map(({ offset }) => offset),
    sizes: files.map(({ size }) => size),
    seen: files.map(({ seen }) => seen),
    digests: files.map(({ digest }) => digest.slice('sha256:'.length)).join(''),
    packs: [...packs.keys()],
  };
  writeFileSync(temporary, JSON.stringify(columns), { mode: 0o600 });
  renameSync(temporary, path);
}
