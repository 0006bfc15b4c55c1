import type { State } from '../../graph/index.ts';
import { cleanPath } from '../../tree/index.ts';
import { localState } from './input.ts';

/** A local source that steps read from. */
export interface Local {
  /** What it is called at the asking side. */
  readonly name: string;
  readonly label: string;
  readonly exclude: readonly string[];
}

/**
 * The local sources of one conversion. All steps share one vertex per source, which asks for no more than what they read together. Nobody knows that before the steps are converted, so the conversion is
 * done a second time with what the first one recorded.
 */
export class Locals {
  readonly #previous: Locals | undefined;
  readonly #uses = new Map<Local, Set<string>>();
  readonly #states = new Map<Local, State>();

  constructor(previous?: Locals) {
    this.#previous = previous;
  }

  /** The source's tree, as far as the previous conversion read it. */
  state(local: Local): State {
    const known = this.#states.get(local);
    if (known !== undefined) return known;
    const paths = this.#previous === undefined ? undefined : pathsOf(this.#previous.#uses.get(local));
    const state = localState(local.name, local.label, { paths, exclude: local.exclude });
    this.#states.set(local, state);
    return state;
  }

  /** Records that a step reads this path, which may hold wildcards; "/" is everything. */
  use(local: Local, path: string): void {
    const uses = this.#uses.get(local) ?? new Set();
    uses.add(cleanPath(`/${path}`));
    this.#uses.set(local, uses);
  }

  /** True when another conversion would ask for less. */
  get narrows(): boolean {
    return [...this.#uses.values()].some((uses) => pathsOf(uses) !== undefined);
  }
}

/** Paths relative to the root, sorted; undefined for all of it. */
function pathsOf(uses: ReadonlySet<string> | undefined): readonly string[] | undefined {
  if (uses === undefined || uses.size === 0 || uses.has('/')) return undefined;
  return [...uses].map((path) => path.slice(1)).sort();
}
