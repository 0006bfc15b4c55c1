import { hostPlatform, canonicalReference, parseReference } from '../image/index.ts';
import { formatLock, parseLock } from '../packages/index.ts';
import type { Worker } from '../worker/index.ts';
import type { BaseService, BaseSummary } from './engine.ts';
import type { ImageDetails, TransferOptions } from './image-service.ts';
import type { ImageOperations, SessionFor } from './image-operations.ts';

/** Bases made of distribution packages, asked for by themselves rather than in a FROM line. */
export class BaseOperations implements BaseService {
  readonly #worker: Worker;
  readonly #sessionFor: SessionFor;
  readonly #images: ImageOperations;

  constructor(o: { worker: Worker; sessionFor: SessionFor; images: ImageOperations }) {
    this.#worker = o.worker;
    this.#sessionFor = o.sessionFor;
    this.#images = o.images;
  }

  async list(): Promise<readonly BaseSummary[]> {
    return this.#worker.bases.list();
  }

  async create(
    reference: string,
    o: {
      packages?: readonly string[] | undefined;
      lock?: string | undefined;
      name?: string | undefined;
      refresh?: boolean | undefined;
      onLog?: ((line: string) => void) | undefined;
    } & TransferOptions,
  ): Promise<ImageDetails> {
    const { bases } = this.#worker;
    const platform = hostPlatform(process);
    const log = o.onLog ?? (() => undefined);
    const progress = ({ item, current, total }: { item: string; current: number; total?: number | undefined }): void =>
      o.onProgress?.({ item, current, total });
    const lock =
      o.lock === undefined
        ? await bases.lock(reference, {
            platform,
            refresh: o.refresh ?? false,
            request: bases.requestOf(reference, { packages: o.packages }),
            signal: o.signal,
            log,
            progress,
          })
        : parseLock(o.lock, 'the lock file');
    const digest = bases.remember(lock, { reference });
    await using session = this.#sessionFor(o.host);
    const layer = await this.#worker.baseLayer(digest, { session, signal: o.signal, log, progress });
    const name = canonicalReference(parseReference(o.name ?? reference));
    const id = await this.#worker.images.add({
      config: bases.configOf(lock, { platform, reference }),
      layers: [layer],
      names: [name],
    });
    return await this.#images.inspect(id);
  }

  async lock(reference: string): Promise<string> {
    const { bases } = this.#worker;
    const lock = await bases.lock(reference, {
      platform: hostPlatform(process),
      refresh: false,
      log: () => undefined,
      progress: () => undefined,
    });
    return formatLock(lock);
  }
}
