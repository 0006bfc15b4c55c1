import type { Wait } from '../../base/index.ts';
import type { Mount } from '../../tree/index.ts';
import type { CacheInfo, CacheMounts, CacheSpec, TakenCache } from '../mounts/cache-mounts.ts';
import type { Asker } from './asker.ts';

/** The keeper's cache mounts. */
export class RemoteCaches implements CacheMounts {
  readonly #asker: Asker;

  constructor(asker: Asker) {
    this.#asker = asker;
  }

  async take(spec: CacheSpec, o: { onWait?: (() => void) | undefined } & Wait = {}): Promise<TakenCache> {
    const { onWait, signal } = o;
    const taken = await this.#asker.ask('cacheTake', spec, { signal, onData: () => onWait?.() });
    const { handle, mounts } = taken as { handle: number; mounts: readonly Mount[] };
    let open = true;
    return {
      mounts,
      [Symbol.asyncDispose]: async () => {
        if (open) await this.#asker.ask('cacheGive', { handle });
        open = false;
      },
    };
  }

  async find(spec: CacheSpec, w?: Wait): Promise<string | undefined> {
    return ((await this.#asker.ask('cacheFind', spec, w)) as string | null) ?? undefined;
  }

  async copyTo(name: string, mounts: readonly Mount[], w?: Wait): Promise<boolean> {
    return (await this.#asker.ask('cacheCopy', { name, mounts }, w)) as boolean;
  }

  async list(w?: Wait): Promise<readonly CacheInfo[]> {
    return (await this.#asker.ask('cacheList', {}, w)) as CacheInfo[];
  }

  async remove(name: string, w?: Wait): Promise<boolean> {
    return (await this.#asker.ask('cacheRemove', { name }, w)) as boolean;
  }
}
