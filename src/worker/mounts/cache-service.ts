import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalJson, type Wait } from '../../base/index.ts';
import { digestOf, type Digest } from '../../blob/index.ts';
import type { LayerAccess } from '../layer-service.ts';
import type { Stage } from '../stage.ts';
import type { CacheInfo, CacheSpec } from './cache-mounts.ts';

/** What a cache without a seed is known by on any machine. */
export function cacheMountKey({ id, mode, uid, gid }: Omit<CacheSpec, 'seed' | 'sharing'>): Digest {
  return digestOf(canonicalJson({ cacheMount: { id, mode, uid, gid } }));
}

/** The cache mounts of a store, for who looks after it. The ground is opened only where there are any: no one else may see into them. */
export class CacheService {
  readonly #stage: Stage;
  readonly #folder: string | undefined;

  constructor(o: { stage: Stage; groundFolder?: string | undefined }) {
    this.#stage = o.stage;
    this.#folder = o.groundFolder === undefined ? undefined : join(o.groundFolder, 'caches');
  }

  async list(w: Wait = {}): Promise<readonly CacheInfo[]> {
    if (!this.#hasAny()) return [];
    return (await this.#stage.ground(w)).caches.list(w);
  }

  /** What the cache of a spec without a seed holds, as a layer of the store; undefined where there is none, a step has it, or the ground cannot copy it. */
  async pack(spec: CacheSpec, access: LayerAccess): Promise<Digest | undefined> {
    if (!this.#hasAny()) return undefined;
    const { caches, oneRoot } = await this.#stage.ground(access);
    const name = oneRoot === true ? undefined : await caches.find(spec, access);
    if (name === undefined) return undefined;
    await using active = await this.#stage.prepare([], access);
    if (!(await caches.copyTo(name, active.mounts, access))) return undefined;
    // Not before it is written may the tree be given back.
    const packed = await this.#stage.writeOut(active, access);
    return packed;
  }

  /** False when a step has it. */
  async remove(name: string, w: Wait = {}): Promise<boolean> {
    return (await this.#stage.ground(w)).caches.remove(name, w);
  }

  #hasAny(): boolean {
    if (this.#stage.opened) return true;
    if (this.#folder === undefined || !existsSync(this.#folder)) return false;
    return readdirSync(this.#folder).some((name) => /^[0-9a-f]{24}-/.test(name));
  }
}
