import { kindOf, type Clock, type Random, type Wait } from '../../base/index.ts';
import type { Digest } from '../../blob/index.ts';
import { parseReference, type ImageConfig } from '../../image/index.ts';
import type { Vertex } from '../../graph/index.ts';
import type { RecordedStep, RemoteKeys } from '../../solve/index.ts';
import {
  blobsOf,
  cacheMountKey,
  type CacheSpec,
  type LayerAccess,
  type RefLayer,
  type Session,
  type Solving,
  type Worker,
} from '../../worker/index.ts';
import type { BuildEvent, BuildRequest } from '../builder.ts';
import { encodeInlineCache, type InlineLayer } from './document.ts';
import { exportCache } from './export-cache.ts';
import { ImportedCaches } from './imported-caches.ts';
import { INLINE_MEMBER } from './read-cache.ts';
import { recordsOf } from './records-of.ts';
import type { CacheRecord } from './types.ts';

/** An image as far as caches are concerned. */
export interface CachedImage {
  readonly config: ImageConfig;
  readonly layers: readonly RefLayer[];
  /** Its layers as the steps made them, before their times were clamped. */
  readonly solved: readonly RefLayer[];
}

export interface BuildCachesOptions {
  readonly request: BuildRequest;
  readonly worker: Worker;
  readonly session: Session;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: (event: BuildEvent) => void;
}

/** All that one build has to do with caches elsewhere. */
export class BuildCaches {
  readonly #o: BuildCachesOptions;
  /** Compressed layers that were to be had elsewhere and were not, or were not what they were said to be. */
  readonly #lost = new Set<Digest>();
  #imported: ImportedCaches | undefined;

  constructor(o: BuildCachesOptions) {
    this.#o = o;
  }

  /** What to ask for keys that the store does not know. */
  open(w: { signal: AbortSignal }): RemoteKeys | undefined {
    const imports = this.#o.request.cacheFrom ?? [];
    if (imports.length === 0) return undefined;
    this.#imported ??= new ImportedCaches({ ...this.#o, imports, signal: w.signal });
    return this.#imported;
  }

  /** False where a cache said to have one of these layers and has not. */
  async offers(layers: readonly RefLayer[]): Promise<boolean> {
    return this.#imported?.offers(layers) ?? true;
  }

  /** What a cache mount of this key held elsewhere. */
  async mountOf(key: Digest): Promise<RefLayer | undefined> {
    return this.#imported?.mountOf(key);
  }

  lose(compressed: Digest): void {
    this.#lost.add(compressed);
  }

  /**
   * After a failure: true when it may be due to layers of results from elsewhere that could not be had as promised. Those results are forgotten then and the caches left, so that another attempt runs their steps.
   */
  forsake(error: unknown): boolean {
    if (this.#lost.size === 0 || kindOf(error) === 'cancelled') return false;
    const { keys } = this.#o.worker;
    const places = new Set<string>();
    const isLost = ({ compressed, createdAt, source }: RefLayer): boolean => {
      if (!compressed || !this.#lost.has(compressed.digest)) return false;
      const name = this.#imported?.promisedBy(compressed.digest);
      if (name === undefined && createdAt === undefined) return false;
      places.add(`"${name ?? source ?? 'elsewhere'}"`);
      return true;
    };
    const spoiled = keys
      .list()
      .filter(({ outputs }) => outputs.some((output) => (output['layers'] as unknown as RefLayer[]).some(isLost)));
    this.#lost.clear();
    this.#imported?.leave();
    for (const { id } of spoiled) keys.forget(id);
    if (spoiled.length === 0) return false;
    const message = `a layer from cache ${[...places].join(', ')} was not to be had as promised: building again what needs it`;
    this.#o.emit({ kind: 'warning', at: this.#o.clock.now(), warning: { code: 'CacheIgnored', message } });
    return true;
  }

  /** The image's config, with the cache of its own steps inside where that was asked for. */
  inline(image: CachedImage, solving: Pick<Solving, 'recorded'>): ImageConfig {
    const { cacheTo = [] } = this.#o.request;
    if (!cacheTo.some(({ type }) => type === 'inline')) return image.config;
    const at = new Map(image.layers.map(({ diffId }, index) => [diffId, index]));
    const inImage = ({ diffId, createdAt }: RefLayer): InlineLayer => ({ at: at.get(diffId) ?? -1, createdAt });
    const records = this.#records(solving.recorded(), new Set(at.keys())).map(({ id, keys, outputs }) => ({
      id,
      keys,
      outputs: outputs?.map((stack) => stack.map(inImage)),
    }));
    return { ...image.config, [INLINE_MEMBER]: encodeInlineCache(records) } as ImageConfig;
  }

  /** Writes the caches that were asked for; gives what `--metadata-file` says of them, by BuildKit's name. */
  async export(
    images: readonly CachedImage[],
    solving: Pick<Solving, 'recorded' | 'vertices'>,
    w: Wait,
  ): Promise<Readonly<Record<string, unknown>>> {
    const { request } = this.#o;
    const { cacheTo = [] } = request;
    if (cacheTo.every(({ type }) => type === 'inline')) return {};
    const ofImages = new Set(images.flatMap(({ solved }) => solved.map(({ diffId }) => diffId)));
    const names = request.exports.flatMap((e) => (e.type === 'registry' ? e.names : []));
    const mountFrom = names.map((name) => parseReference(name));
    const steps = solving.recorded();
    const cacheMounts = cacheMountsOf(solving.vertices());
    let written: Readonly<Record<string, unknown>> = {};
    for (const [at, target] of cacheTo.entries()) {
      if (target.type === 'inline') continue;
      const records = this.#records(steps, target.mode === 'min' ? ofImages : undefined);
      const descriptor = await exportCache(records, target, {
        ...this.#o,
        at,
        mountFrom,
        cacheMounts,
        packed: (spec, access) => this.#packed(spec, access),
        signal: w.signal,
      });
      if (descriptor) written = { 'cache.manifest': descriptor };
    }
    return written;
  }

  /** What is here of a cache mount; else what caches elsewhere have of it, so that it is not lost on the way. */
  async #packed(spec: CacheSpec, access: LayerAccess): Promise<RefLayer | undefined> {
    const { worker, session } = this.#o;
    const diffId = await worker.caches.pack(spec, access);
    if (diffId === undefined) return this.#imported?.mountOf(cacheMountKey(spec));
    session.spare(diffId);
    return { diffId };
  }

  #records(steps: readonly RecordedStep[], within: ReadonlySet<Digest> | undefined): readonly CacheRecord<RefLayer>[] {
    const { keys, layers } = this.#o.worker;
    return recordsOf(steps, {
      keys,
      furtherKeys: (id) => this.#imported?.keysOf(id) ?? [],
      isReachable: (layer) => {
        this.#o.session.spare(...blobsOf([layer]));
        return layers.isReachable(layer);
      },
      within,
    });
  }
}

/** The caches that these steps mount, each once. Those that begin with a tree of the build can be made again, and are left out. */
function cacheMountsOf(vertices: readonly Vertex[]): readonly CacheSpec[] {
  const specs = vertices.flatMap(({ op }) =>
    op.kind === 'exec'
      ? op.mounts.flatMap((mount): CacheSpec[] => {
          if (mount.type !== 'cache' || mount.input !== undefined) return [];
          const { id, sharing, mode, uid, gid } = mount;
          return [{ id, sharing, mode, uid, gid }];
        })
      : [],
  );
  return [...new Map(specs.map((spec) => [cacheMountKey(spec), spec])).values()];
}
