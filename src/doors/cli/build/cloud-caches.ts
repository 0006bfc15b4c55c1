import { HttpClient } from '../../../base/index.ts';
import type { CacheStore } from '../../../cloud/index.ts';
import type { Io } from '../io.ts';
import type { CloudCache } from '../parse/cloud-cache.ts';

/** How clouds are asked. Nothing is loaded or asked before a cache is opened. */
export class Clouds implements AsyncDisposable {
  readonly #io: Pick<Io, 'env' | 'home' | 'clock'>;
  #http: HttpClient | undefined;

  constructor(io: Pick<Io, 'env' | 'home' | 'clock'>) {
    this.#io = io;
  }

  /** False for the cache of GitHub Actions outside of a job, where there is none (buildx leaves it out, too). */
  has({ type, attributes }: CloudCache): boolean {
    const { env } = this.#io;
    return (
      type !== 'gha' ||
      ['token', 'url', 'url_v2'].some((name) => attributes.has(name)) ||
      ['ACTIONS_RUNTIME_TOKEN', 'ACTIONS_CACHE_URL', 'ACTIONS_RESULTS_URL'].some((name) => Boolean(env[name]))
    );
  }

  async open({ type, attributes }: CloudCache): Promise<CacheStore> {
    const { cloudError, openCacheStore } = await import('../../../cloud/index.ts');
    const http = (this.#http ??= new HttpClient({ env: this.#io.env }));
    const store = openCacheStore(type, attributes, { ...this.#io, http });
    if (!store) throw cloudError('CLOUD_SETTING', `use a cache of type=${type}: this is no job of GitHub Actions`);
    return store;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http?.[Symbol.asyncDispose]();
  }
}
