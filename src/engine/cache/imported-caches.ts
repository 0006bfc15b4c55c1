import { cancelled, kindOf, messageOf, type Clock } from '../../base/index.ts';
import type { BlobReader, Digest } from '../../blob/index.ts';
import { collectManifest, parseReference, repositoryName } from '../../image/index.ts';
import type { RemoteKeys, RemoteResult, ResultRecord } from '../../solve/index.ts';
import { blobsOf, type RefLayer, type Session, type Worker } from '../../worker/index.ts';
import type { BuildEvent } from '../builder.ts';
import { engineError } from '../errors.ts';
import { decodeCacheConfig, type ReadCache, type StoredRecord } from './document.ts';
import { objectsOf } from './export-objects.ts';
import { readCache } from './read-cache.ts';
import type { CachedLayer, CacheImport } from './types.ts';

/** Milliseconds that reading a cache may take before the build goes on without. */
const PATIENCE = 60_000;

/** A cache whose records are read. */
interface OpenCache {
  readonly name: string;
  readonly caches: readonly ReadCache<CachedLayer>[];
  readonly blobs: BlobReader;
  /** `registry/repository` that has the layers; layers of a folder are copied when they are needed. */
  readonly source: string | undefined;
  readonly notBefore: number | undefined;
}

interface Place {
  readonly open: OpenCache;
  readonly cache: ReadCache<CachedLayer>;
  readonly record: StoredRecord;
}

/**
 * The caches that a build was told to look into: read when the first step is not found here, all at once; one that cannot be read is left out with one warning. Their layers stay where they are until somebody asks for them.
 */
export class ImportedCaches implements RemoteKeys {
  readonly #imports: readonly CacheImport[];
  readonly #worker: Worker;
  readonly #session: Session;
  readonly #clock: Clock;
  readonly #emit: (event: BuildEvent) => void;
  readonly #signal: AbortSignal;
  #opened: Promise<void> | undefined;
  readonly #byKey = new Map<Digest, Place>();
  readonly #byId = new Map<Digest, Place>();
  readonly #inputs = new Set<Digest>();
  readonly #mounts = new Map<Digest, { open: OpenCache; cache: ReadCache<CachedLayer>; top: number }>();
  /** Which cache said to have a blob. */
  readonly #origins = new Map<Digest, OpenCache>();
  readonly #checked = new Map<Digest, Promise<boolean>>();
  readonly #warned = new Set<string>();
  #left = false;

  constructor(o: {
    imports: readonly CacheImport[];
    worker: Worker;
    session: Session;
    clock: Clock;
    emit: (event: BuildEvent) => void;
    signal: AbortSignal;
  }) {
    this.#imports = o.imports;
    this.#worker = o.worker;
    this.#session = o.session;
    this.#clock = o.clock;
    this.#emit = o.emit;
    this.#signal = o.signal;
  }

  async find(key: Digest): Promise<RemoteResult | undefined> {
    if (this.#left) return undefined;
    await (this.#opened ??= this.#open());
    const found = this.#byKey.get(key);
    if (!found) return undefined;
    const { open, cache, record } = found;
    const { id } = record;
    try {
      const layers = (record.outputs ?? []).map((top) => cache.layersAt(top));
      if (isOlder(layers.flat(), open.notBefore)) return undefined;
      return { id, from: open.name, outputs: layers.map((output) => this.#output(output, open)) };
    } catch (error) {
      this.#warn(open.name, `ignoring records of cache "${open.name}": ${messageOf(error)}`);
      return undefined;
    }
  }

  isInput(id: Digest): boolean {
    return !this.#left && this.#inputs.has(id);
  }

  /** What a cache mount of this key held, by the first cache that has it and can give it. */
  async mountOf(key: Digest): Promise<RefLayer | undefined> {
    if (this.#left) return undefined;
    await (this.#opened ??= this.#open());
    const found = this.#mounts.get(key);
    if (!found) return undefined;
    try {
      const [layer, ...more] = this.#refs(found.cache.layersAt(found.top), found.open);
      if (!layer || more.length > 0) return undefined;
      this.#session.spare(...blobsOf([layer]));
      return (await this.offers([layer])) ? layer : undefined;
    } catch (error) {
      if (kindOf(error) === 'cancelled') throw error;
      this.#warn(found.open.name, `ignoring records of cache "${found.open.name}": ${messageOf(error)}`);
      return undefined;
    }
  }

  /** Further keys that lead to a result, by the caches that have it. */
  keysOf(id: Digest): StoredRecord['keys'] {
    return this.#byId.get(id)?.record.keys ?? [];
  }

  /** False where one of these layers, that a cache said to have, is not to be had. Layers of a folder are brought into the store. */
  async offers(layers: readonly RefLayer[]): Promise<boolean> {
    const there = await Promise.all(
      layers.map(async (layer) => {
        const { compressed } = layer;
        const open = compressed && this.#origins.get(compressed.digest);
        if (!open || this.#worker.layers.isHere(layer)) return true;
        let check = this.#checked.get(compressed.digest);
        if (!check) {
          check = this.#check(layer, open);
          this.#checked.set(compressed.digest, check);
        }
        return check;
      }),
    );
    return !there.includes(false);
  }

  /** The name of the cache that said to have this blob. */
  promisedBy(digest: Digest): string | undefined {
    return this.#origins.get(digest)?.name;
  }

  /** Nothing more is taken from any of them. */
  leave(): void {
    this.#left = true;
  }

  async #check({ compressed }: RefLayer, open: OpenCache): Promise<boolean> {
    if (!compressed) return false;
    const { digest, mediaType } = compressed;
    const w = { signal: this.#signal };
    try {
      if (open.source !== undefined) {
        if (await open.blobs.has(compressed, w)) return true;
        throw new TypeError(`layer ${digest} is not there`);
      }
      await this.#worker.store.put(await open.blobs.open(compressed, w), { mediaType, expect: compressed, ...w });
      return true;
    } catch (error) {
      if (this.#signal.aborted) throw cancelled(this.#signal.reason);
      this.#warn(open.name, `use cache "${open.name}": ${messageOf(error)}; steps that need it run anew`);
      return false;
    }
  }

  #output(layers: readonly CachedLayer[], open: OpenCache): ResultRecord {
    return { layers: this.#refs(layers, open) as unknown as ResultRecord[] };
  }

  #refs(layers: readonly CachedLayer[], open: OpenCache): readonly RefLayer[] {
    for (const { compressed } of layers)
      if (!this.#origins.has(compressed.digest)) this.#origins.set(compressed.digest, open);
    return layers.map((layer): RefLayer => ({ ...layer, source: open.source }));
  }

  async #open(): Promise<void> {
    const opened = await Promise.all(this.#imports.map((one, at) => this.#openOne(one, at)));
    for (const open of opened) if (open) this.#take(open);
  }

  /** What several caches know is taken from the first that has a result. */
  #take(open: OpenCache): void {
    for (const cache of open.caches) {
      for (const { key, layer } of cache.mounts)
        if (!this.#mounts.has(key)) this.#mounts.set(key, { open, cache, top: layer });
      for (const record of cache.records) {
        const place = { open, cache, record };
        if (!this.#byId.get(record.id)?.record.outputs) this.#byId.set(record.id, place);
        for (const { digest, inputs } of record.keys) {
          if (!this.#byKey.get(digest)?.record.outputs) this.#byKey.set(digest, place);
          for (const input of inputs) this.#inputs.add(input);
        }
      }
    }
  }

  async #openOne(one: CacheImport, at: number): Promise<OpenCache | undefined> {
    const name = one.type === 'registry' ? one.ref : one.name;
    const id = `import cache ${at + 1}`;
    const now = (): number => this.#clock.now();
    this.#emit({ kind: 'vertex', id, name: `importing cache manifest from ${name}`, inputs: [], internal: true });
    this.#emit({ kind: 'started', id, at: now() });
    try {
      const open = await this.#read(one, name);
      const count = open.caches.reduce((sum, { records }) => sum + records.length, 0);
      this.#emit({ kind: 'note', id, at: now(), text: `${count} steps` });
      this.#emit({ kind: 'completed', id, at: now() });
      return open;
    } catch (error) {
      const stopped = this.#signal.aborted;
      const reason = kindOf(error) === 'cancelled' ? `no answer within ${PATIENCE / 1000} s` : messageOf(error);
      this.#emit({ kind: 'note', id, at: now(), text: `ignored: ${reason}` });
      this.#emit({ kind: 'completed', id, at: now() });
      if (stopped) throw cancelled(this.#signal.reason);
      this.#warn(name, `ignoring cache "${name}": ${reason}`);
      return undefined;
    }
  }

  async #read(one: CacheImport, name: string): Promise<OpenCache> {
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(PATIENCE)]);
    if (one.type === 'registry') {
      const reference = parseReference(one.ref);
      const client = this.#worker.registry(this.#session);
      const blobs = client.blobs(reference);
      const { content, descriptor } = await client.manifest(reference, { signal });
      const caches = await readCache(content, { mediaType: descriptor.mediaType, blobs, signal });
      return { name, caches, blobs, source: repositoryName(reference), notBefore: one.notBefore };
    }
    if (one.type === 'objects') {
      const store = await objectsOf(this.#session, one.store);
      const caches = (await store.configs({ signal })).map((config) => decodeCacheConfig(config));
      if (caches.length === 0) throw engineError('CACHE_NONE', 'read cache: there is none yet');
      return { name, caches, blobs: store.blobs, source: undefined, notBefore: one.notBefore };
    }
    const blobs = this.#session.host.blobs(one.store);
    const content = await collectManifest(await blobs.open(one.manifest, { signal }), 'its manifest');
    const caches = await readCache(content, { mediaType: one.manifest.mediaType, blobs, signal });
    return { name, caches, blobs, source: undefined, notBefore: one.notBefore };
  }

  #warn(name: string, message: string): void {
    if (this.#warned.has(name)) return;
    this.#warned.add(name);
    this.#emit({ kind: 'warning', at: this.#clock.now(), warning: { code: 'CacheIgnored', message } });
  }
}

/** True when the last step that made one of these layers ran before that time. */
function isOlder(layers: readonly CachedLayer[], notBefore: number | undefined): boolean {
  if (notBefore === undefined) return false;
  const times = layers.flatMap(({ createdAt }) => createdAt ?? []);
  return times.length > 0 && times.every((time) => time < notBefore);
}
