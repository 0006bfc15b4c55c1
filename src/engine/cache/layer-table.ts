import { engineError } from '../errors.ts';

/** A layer on top of another: `parent` is the place of the one below, -1 for none. */
export interface TableRow<L> {
  readonly layer: L;
  readonly parent: number;
}

/** Stacks deeper than this are in no image (overlay takes 500). */
const DEEPEST = 1024;

/** Stacks of layers as a tree, as BuildKit's cache manifests have them (cache/remotecache/v1/spec.go): each stack is the place of its top. */
export class LayerTable<L> {
  readonly rows: TableRow<L>[] = [];
  readonly #places = new Map<string, number>();
  readonly #nameOf: (layer: L) => string;

  /** `nameOf` tells layers apart. */
  constructor(nameOf: (layer: L) => string) {
    this.#nameOf = nameOf;
  }

  /** The place of the top of a stack, the lowest layer first; -1 for none. */
  add(stack: readonly L[]): number {
    let parent = -1;
    for (const layer of stack) {
      const name = `${parent} ${this.#nameOf(layer)}`;
      let place = this.#places.get(name);
      if (place === undefined) {
        place = this.rows.push({ layer, parent }) - 1;
        this.#places.set(name, place);
      }
      parent = place;
    }
    return parent;
  }
}

/** The stack whose top is at `top`. Throws `CACHE_INVALID` where a row lies on none that comes before it. */
export function stackAt<L>(rows: readonly TableRow<L>[], top: number): readonly L[] {
  const stack: L[] = [];
  for (let at = top; at !== -1;) {
    const row = rows[at];
    if (!row || stack.length === DEEPEST || row.parent >= at)
      throw engineError('CACHE_INVALID', `read cache: layer ${at} is not a layer on top of another`);
    stack.unshift(row.layer);
    at = row.parent;
  }
  return stack;
}
