import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Wait } from '../../base/index.ts';
import type { Stage } from '../stage.ts';
import type { CacheInfo } from './cache-mounts.ts';

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
