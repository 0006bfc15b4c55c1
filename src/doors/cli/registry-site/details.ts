import { messageOf, Semaphore, type Clock, type Wait } from '../../../base/index.ts';
import type { OrderNode } from '../../../frontend/buildpack/index.ts';

/** What the image of a buildpack says of it. */
export interface ModuleDetails {
  readonly id: string;
  readonly version: string;
  readonly api: string;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly homepage?: string | undefined;
  readonly licenses: readonly { readonly type?: string | undefined; readonly uri?: string | undefined }[];
  readonly keywords: readonly string[];
  readonly stacks: readonly string[];
  /** `linux/amd64 (ubuntu@24.04)`. */
  readonly targets: readonly string[];
  readonly order: readonly (readonly OrderNode[])[];
}

export type DetailsState =
  | { readonly kind: 'known'; readonly details: ModuleDetails }
  /** Not read yet, or not to be read. */
  | { readonly kind: 'unread' }
  | { readonly kind: 'failed' };

/** What fetches them: nothing but manifest and config of an image. */
export type ReadDetails = (address: string, w: Wait) => Promise<ModuleDetails>;

/** Addresses have digests, so what was read stays true. */
const MOST = 5000;
/** Milliseconds for which what could not be read is left alone. */
const SHUNNED = 60_000;
/** Milliseconds that reading one may take. */
const LONGEST = 20_000;
const AT_ONCE = 4;
/** Waiting to be read. More are dropped: they are asked for again when somebody looks. */
const WAITING = 200;

/** What images say, read when somebody asks, and kept. A registry that cannot be reached costs nothing but this. */
export class DetailsCache implements AsyncDisposable {
  readonly #read: ReadDetails | undefined;
  readonly #clock: Clock;
  readonly #warn: (message: string) => void;
  readonly #known = new Map<string, ModuleDetails>();
  readonly #failed = new Map<string, number>();
  readonly #running = new Map<string, Promise<DetailsState>>();
  readonly #turns = new Semaphore(AT_ONCE);
  #warnedAt = Number.NEGATIVE_INFINITY;
  readonly #stop = new AbortController();

  constructor(read: ReadDetails | undefined, o: { clock: Clock; warn: (message: string) => void }) {
    this.#read = read;
    this.#clock = o.clock;
    this.#warn = o.warn;
  }

  /** What is known now. */
  peek(address: string): DetailsState {
    const details = this.#known.get(address);
    if (details) return { kind: 'known', details };
    const at = this.#failed.get(address);
    return { kind: at !== undefined && this.#clock.now() - at < SHUNNED ? 'failed' : 'unread' };
  }

  /** Reads them, unless they are known; never throws. What could not be read a moment ago is tried again where `again`. */
  async want(address: string, o: { again?: boolean | undefined } = {}): Promise<DetailsState> {
    if (o.again === true) this.#failed.delete(address);
    const state = this.peek(address);
    if (state.kind !== 'unread' || !this.#read || this.#stop.signal.aborted) return state;
    const running = this.#running.get(address);
    if (running) return running;
    if (this.#running.size >= WAITING) return state;
    const reading = this.#fetch(address, this.#read).finally(() => this.#running.delete(address));
    this.#running.set(address, reading);
    return reading;
  }

  /** The same, but answers with what is known after some milliseconds at the latest. */
  async within(address: string, ms: number): Promise<DetailsState> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<DetailsState>((resolve) => {
      timer = setTimeout(() => resolve(this.peek(address)), ms);
    });
    try {
      return await Promise.race([this.want(address), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running.values());
  }

  async #fetch(address: string, read: ReadDetails): Promise<DetailsState> {
    try {
      using _turn = await this.#turns.take({ signal: this.#stop.signal });
      const details = await read(address, {
        signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(LONGEST)]),
      });
      keep(this.#known, address, details);
      this.#failed.delete(address);
      return { kind: 'known', details };
    } catch (error) {
      if (this.#stop.signal.aborted) return { kind: 'unread' };
      keep(this.#failed, address, this.#clock.now());
      // A registry that is gone fails for each image that it has: one of them says it.
      const now = this.#clock.now();
      if (now - this.#warnedAt >= SHUNNED) {
        this.#warnedAt = now;
        this.#warn(`what an image says of itself is not shown: ${messageOf(error)}`);
      }
      return { kind: 'failed' };
    }
  }
}

function keep<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= MOST) return;
    map.delete(oldest);
  }
}
