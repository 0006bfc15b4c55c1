import { closeSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { throwIfCancelled, type Wait } from '../base/index.ts';
import { comparePaths, type ContentPlace, type Entry } from '../tree/index.ts';
import { describe, sameEntry, settle, whiteout, type ChangeNode } from './changes.ts';
import { below, namesIn, native, statOf, type Stat } from './files.ts';
import type { GuardedPaths } from './guarded-paths.ts';

/** Something of the root as it was last seen. */
export interface Known {
  /** Changes with whatever happens to it: nobody can set its change time. */
  readonly inode: bigint;
  readonly changed: bigint;
  readonly entry: Entry;
  /** What it was unpacked from, or written to. */
  origin?: { readonly inode: object; readonly place: ContentPlace | undefined } | undefined;
  /** Of a folder, by name. */
  readonly inside?: Map<string, Known> | undefined;
}

const TURN = 512;

/** The files of a root as they were last seen, all but the guarded ones, and what has become of them since. */
export class KnownRoot {
  readonly #root: string;
  #top: Known | undefined;
  #seen = 0;

  constructor(root: string) {
    this.#root = root;
  }

  get top(): Known | undefined {
    return this.#top;
  }

  forget(): void {
    this.#top = undefined;
  }

  find(path: string): Known | undefined {
    let at = this.#top;
    if (path !== '') for (const name of path.split('/')) at = at?.inside?.get(name);
    return at;
  }

  /** Takes note of all there is. `originOf`: where what is new at a path came from. */
  async read(
    guard: GuardedPaths,
    o: { originOf?: ((path: string, entry: Entry) => Known['origin']) | undefined } & Wait,
  ): Promise<void> {
    const visit = async (path: string, stat: Stat, before: Known | undefined): Promise<Known> => {
      const known = this.#look(path, stat, before, o.originOf);
      if (!known.inside) return known;
      for (const name of namesIn(this.#at(path)).sort(comparePaths)) {
        await this.#turn(o);
        const at = below(path, name);
        const inner = guard.at(at) === 'guarded' ? undefined : statOf(this.#at(at));
        if (inner) known.inside.set(name, await visit(at, inner, before?.inside?.get(name)));
      }
      return known;
    };
    const stat = statOf(this.#root);
    this.#top = stat && (await visit('', stat, this.#top));
  }

  /**
   * What has changed since it was last seen, as entries of a layer by the rules of `overlayChanges`; what there is now is known from then on. A file whose inode and change time are as they were is what it was: nothing can be done to a file
   * that leaves both, from the clock's next tick on.
   */
  async changes(guard: GuardedPaths, w?: Wait): Promise<readonly Entry[]> {
    const nodes: ChangeNode[] = [];
    const visit = async (
      path: string,
      o: { stat: Stat; before: Known | undefined; parent: ChangeNode | undefined },
    ): Promise<Known> => {
      const { stat, before } = o;
      const same = before?.inode === stat.ino && before.changed === stat.ctimeNs;
      const known = this.#look(path, stat, before, undefined);
      let node: ChangeNode | undefined;
      if (path !== '' && !stat.isSocket() && (!same || known.inside)) {
        node = {
          entry: known.entry,
          parent: o.parent,
          inode: stat.nlink > 1n && !known.inside ? `${stat.dev}:${stat.ino}` : undefined,
          kept: !before || !(same || this.#isSame(known, before)),
        };
        nodes.push(node);
        if (!node.kept && before && !known.inside) known.origin = before.origin;
      }
      if (!known.inside) return known;
      const was = before?.inside;
      const names = new Set(namesIn(this.#at(path)));
      for (const name of [...new Set([...names, ...(was?.keys() ?? [])])].sort(comparePaths)) {
        await this.#turn(w);
        const at = below(path, name);
        if (guard.at(at) === 'guarded') continue;
        const inner = names.has(name) ? statOf(this.#at(at)) : undefined;
        if (inner) known.inside.set(name, await visit(at, { stat: inner, before: was?.get(name), parent: node }));
        else if (was?.has(name) === true)
          nodes.push({ entry: whiteout(at), parent: node, inode: undefined, kept: true });
      }
      return known;
    };
    const stat = statOf(this.#root);
    if (stat) this.#top = await visit('', { stat, before: this.#top, parent: undefined });
    return settle(nodes);
  }

  /** What is at a path now; what is known of it still holds when neither inode nor change time have changed. */
  #look(
    path: string,
    stat: Stat,
    before: Known | undefined,
    originOf: ((path: string, entry: Entry) => Known['origin']) | undefined,
  ): Known {
    const inside = stat.isDirectory() ? new Map<string, Known>() : undefined;
    const isSame = before?.inode === stat.ino && before.changed === stat.ctimeNs;
    if (isSame && !inside) return before;
    const entry = isSame ? before.entry : describe(path, { path: this.#at(path), stat }).entry;
    const origin = isSame ? before.origin : originOf?.(path, entry);
    return { inode: stat.ino, changed: stat.ctimeNs, entry, origin, inside };
  }

  #isSame(now: Known, before: Known): boolean {
    const same = sameEntry(now.entry, before.entry);
    if (same !== 'unless content') return same;
    const place = before.origin?.place;
    const region = place?.tree.locate?.(place.entry);
    return region !== undefined && sameBytes(this.#at(now.entry.path), region);
  }

  #at(path: string): string {
    return path === '' ? this.#root : `${this.#root}/${path}`;
  }

  async #turn(w: Wait | undefined): Promise<void> {
    if (++this.#seen % TURN !== 0) return;
    await setImmediate();
    throwIfCancelled(w);
  }
}

const LEFT = Buffer.allocUnsafeSlow(1 << 18);
const RIGHT = Buffer.allocUnsafeSlow(1 << 18);

function sameBytes(
  path: string,
  region: { readonly path: string | Buffer; readonly offset: number; readonly length: number },
): boolean {
  const left = openSync(native(path), 'r');
  try {
    const right = openSync(region.path, 'r');
    try {
      for (let at = 0; at < region.length;) {
        const most = Math.min(LEFT.length, region.length - at);
        const n = readSync(left, LEFT, 0, most, at);
        const m = readSync(right, RIGHT, 0, Math.min(most, n), region.offset + at);
        if (n === 0 || n !== m || LEFT.compare(RIGHT, 0, m, 0, n) !== 0) return false;
        at += n;
      }
      return true;
    } finally {
      closeSync(right);
    }
  } finally {
    closeSync(left);
  }
}
