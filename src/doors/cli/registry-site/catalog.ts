import { messageOf, type Clock, type Wait } from '../../../base/index.ts';
import {
  buildpackAtPath,
  compareVersions,
  encodeEntry,
  indexPath,
  newestOf,
  parseEntries,
  type RegistryEntry,
  type RegistryIndex,
  type WritableIndex,
} from '../../../frontend/buildpack/index.ts';

/** A registry that is served. */
export interface CatalogSource {
  readonly name: string;
  readonly kind: string;
  /** Where it is, as users of other programs would name it; undefined for what only this machine knows. */
  readonly url?: string | undefined;
  /** Its index, brought up to date. */
  open(w: Wait): Promise<RegistryIndex & Partial<WritableIndex>>;
}

export interface CatalogVersion extends RegistryEntry {
  readonly registry: string;
}

export interface CatalogBuildpack {
  /** `NAMESPACE/NAME`. */
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  /** The newest first. */
  readonly versions: readonly CatalogVersion[];
  /** The newest that is not yanked. */
  readonly newest?: CatalogVersion | undefined;
}

/** How it stands with a registry. */
export interface CatalogRegistry {
  readonly name: string;
  readonly kind: string;
  readonly url?: string | undefined;
  readonly buildpacks: number;
  /** False: it is asked for one buildpack at a time. */
  readonly listed: boolean;
  /** What has been read last could not be brought up to date. */
  readonly stale: boolean;
  readonly writable: boolean;
}

interface File {
  readonly text: string;
  readonly entries: readonly RegistryEntry[];
}

interface State {
  readonly source: CatalogSource;
  index?: (RegistryIndex & Partial<WritableIndex>) | undefined;
  /** By id. */
  files: ReadonlyMap<string, File>;
  listed: boolean;
  failure?: string | undefined;
  /** Of an index that cannot be listed: what was asked for, and when. */
  readonly asked: Map<string, { readonly at: number; readonly file: File | undefined }>;
}

/** How many answers of an index that cannot be listed are kept. */
const MOST_ASKED = 1000;
/** Files read before others get their turn. */
const BATCH = 64;

/** What one or several registries hold, read whole from time to time. Of a version that two have, the first one's entry counts. */
export class Catalog {
  readonly #states: readonly State[];
  readonly #clock: Clock;
  readonly #warn: (message: string) => void;
  readonly #keep: number;
  #refreshing: Promise<void> = Promise.resolve();
  #all: readonly CatalogBuildpack[] = [];
  #byId: ReadonlyMap<string, CatalogBuildpack> = new Map();

  constructor(
    sources: readonly CatalogSource[],
    o: { clock: Clock; warn: (message: string) => void; /** Milliseconds for which an answer is kept. */ keep: number },
  ) {
    this.#states = sources.map((source) => ({ source, files: new Map(), listed: true, asked: new Map() }));
    this.#clock = o.clock;
    this.#warn = o.warn;
    this.#keep = o.keep;
  }

  /** Reads all registries again. One that cannot be read stays as it was, and is warned of once; the first time it is an error. */
  async refresh(w: Wait = {}): Promise<void> {
    // One after the other: what began to read before a change must not end after what began behind it.
    const before = this.#refreshing;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#refreshing = promise;
    try {
      await before;
      await Promise.all(this.#states.map((state) => this.#read(state, w)));
      this.#merge();
    } finally {
      resolve();
    }
  }

  /** Those that can be listed, by id. */
  get all(): readonly CatalogBuildpack[] {
    return this.#all;
  }

  get registries(): readonly CatalogRegistry[] {
    return this.#states.map(({ source, files, listed, failure, index }) => ({
      name: source.name,
      kind: source.kind,
      url: source.url,
      buildpacks: files.size,
      listed,
      stale: failure !== undefined,
      writable: index?.register !== undefined && source.kind === 'folder',
    }));
  }

  /** Throws `CNB_REGISTRY_UNAVAILABLE` where an index that cannot be listed cannot be asked either, `CNB_REGISTRY_INVALID` for what it answers. */
  async find(
    wanted: { readonly namespace: string; readonly name: string },
    w: Wait = {},
  ): Promise<CatalogBuildpack | undefined> {
    const id = `${wanted.namespace}/${wanted.name}`;
    if (this.#states.every(({ listed }) => listed)) return this.#byId.get(id);
    const files = await Promise.all(this.#states.map((state) => this.#file(state, wanted, w)));
    return merged(wanted, this.#versions(files));
  }

  /** The file at a path of an index: of one registry, or of all. */
  async file(path: string, o: { registry?: string | undefined } & Wait = {}): Promise<string | undefined> {
    const wanted = buildpackAtPath(path);
    if (!wanted) return undefined;
    const states = this.#states.filter(({ source }) => o.registry === undefined || source.name === o.registry);
    const files = await Promise.all(states.map((state) => this.#file(state, wanted, o)));
    const there = files.filter((file) => file !== undefined);
    if (there.length <= 1) return there[0]?.text;
    const versions = this.#versions(files, states);
    return versions
      .toSorted((a, b) => compareVersions(a.version, b.version))
      .map((one) => encodeEntry(one))
      .join('');
  }

  /** The index of a registry, to change it; the first one's without a name. */
  writable(name: string | undefined): WritableIndex | 'unknown' | 'read-only' {
    const state = name === undefined ? this.#states[0] : this.#states.find(({ source }) => source.name === name);
    if (!state) return 'unknown';
    const { index, source } = state;
    const { register, yank } = index ?? {};
    return index && register && yank && source.kind === 'folder' ? { ...index, register, yank } : 'read-only';
  }

  async #read(state: State, w: Wait): Promise<void> {
    const { source } = state;
    const isFirst = state.index === undefined;
    try {
      const index = await source.open(w);
      const listed = await index.list?.(w);
      const files = new Map<string, File>();
      for (const [at, { namespace, name, text: known }] of (listed ?? []).entries()) {
        if (at % BATCH === BATCH - 1) await new Promise((resolve) => void setImmediate(resolve));
        const text = known ?? (await index.lines(namespace, name, w));
        if (text !== undefined) files.set(`${namespace}/${name}`, this.#parsed(text, { state, namespace, name }));
      }
      state.index = index;
      state.listed = listed !== undefined;
      state.files = files;
      state.failure = undefined;
    } catch (error) {
      if (isFirst || w.signal?.aborted) throw error;
      const failure = messageOf(error);
      if (state.failure !== failure) this.#warn(`registry "${source.name}" is served as it was: ${failure}`);
      state.failure = failure;
    }
  }

  /** The entries of a file; none, with a warning, where it is spoiled. It is served as it is all the same: who reads it is to see that. */
  #parsed(text: string, o: { state: State; namespace: string; name: string }): File {
    const known = o.state.files.get(`${o.namespace}/${o.name}`);
    if (known?.text === text) return known;
    try {
      const entries = parseEntries(text, `${o.state.source.name}:${indexPath(o.namespace, o.name)}`).filter(
        (entry) => entry.namespace === o.namespace && entry.name === o.name,
      );
      return { text, entries };
    } catch (error) {
      this.#warn(messageOf(error));
      return { text, entries: [] };
    }
  }

  async #file(
    state: State,
    wanted: { readonly namespace: string; readonly name: string },
    w: Wait,
  ): Promise<File | undefined> {
    const id = `${wanted.namespace}/${wanted.name}`;
    if (state.listed) return state.files.get(id);
    const now = this.#clock.now();
    const known = state.asked.get(id);
    if (known && now - known.at < this.#keep) return known.file;
    const text = await state.index?.lines(wanted.namespace, wanted.name, w);
    const file = text === undefined ? undefined : this.#parsed(text, { state, ...wanted });
    state.asked.delete(id);
    state.asked.set(id, { at: now, file });
    for (const oldest of state.asked.keys()) {
      if (state.asked.size <= MOST_ASKED) break;
      state.asked.delete(oldest);
    }
    return file;
  }

  /** The entries of files, one for each registry in order; of a version that several have the first. */
  #versions(files: readonly (File | undefined)[], states: readonly State[] = this.#states): CatalogVersion[] {
    const found = new Map<string, CatalogVersion>();
    for (const [at, file] of files.entries())
      for (const entry of file?.entries ?? [])
        if (!found.has(entry.version)) found.set(entry.version, { ...entry, registry: states[at]?.source.name ?? '' });
    return [...found.values()];
  }

  #merge(): void {
    const ids = new Set(this.#states.flatMap(({ files }) => [...files.keys()]));
    this.#all = [...ids].toSorted().flatMap((id) => {
      const [namespace = '', name = ''] = id.split('/');
      return merged({ namespace, name }, this.#versions(this.#states.map(({ files }) => files.get(id)))) ?? [];
    });
    this.#byId = new Map(this.#all.map((one) => [one.id, one]));
  }
}

function merged(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  versions: readonly CatalogVersion[],
): CatalogBuildpack | undefined {
  if (versions.length === 0) return undefined;
  return {
    id: `${namespace}/${name}`,
    namespace,
    name,
    versions: versions.toSorted((a, b) => compareVersions(b.version, a.version)),
    newest: newestOf(versions),
  };
}
