import type { Wait } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import type { KeyStore, RecordedKey, StoredResult } from './key-store.ts';
import type { ResultRecord } from './types.ts';

/** What a cache elsewhere has on record for a key. */
export interface RemoteResult {
  readonly id: Digest;
  /** Empty where only the result's id is known: what keys of later steps are made of. */
  readonly outputs: readonly ResultRecord[];
  /** What people call the cache. */
  readonly from: string;
}

/** Keys and results of caches elsewhere, as one build sees them: the same look-up as a `KeyStore`'s, but that the blobs of its results are not here. */
export interface RemoteKeys {
  /** Asks nobody before it is first called. Never throws but when it is cancelled: a cache that cannot be read has nothing. */
  find(key: Digest, w?: Wait): Promise<RemoteResult | undefined>;
  /** True when a key on record was made of this result; false before the first `find`. */
  isInput(id: Digest): boolean;
}

/** A result on record, and the cache it was taken from, if it was just now. */
export interface FoundResult {
  readonly stored: StoredResult;
  readonly from?: string | undefined;
}

/** The keys of this store, and after them those of caches elsewhere. What is taken from there is on record here from then on; it never replaces what is. */
export class BuildKeys {
  readonly #keys: KeyStore;
  readonly #remote: RemoteKeys | undefined;

  constructor(keys: KeyStore, remote?: RemoteKeys) {
    this.#keys = keys;
    this.#remote = remote;
  }

  async find(key: RecordedKey, w: Wait): Promise<FoundResult | undefined> {
    const stored = this.#keys.find(key.digest);
    if (stored) return { stored };
    const remote = await this.#remote?.find(key.digest, w);
    return remote && { stored: this.#adopt(key, remote), from: remote.from };
  }

  /** What a cache elsewhere has for one of these keys, because what was on record here is gone. */
  async findAgain(keys: readonly RecordedKey[], w: Wait): Promise<StoredResult | undefined> {
    for (const key of keys) {
      const remote = await this.#remote?.find(key.digest, w);
      if (remote && remote.outputs.length > 0) return this.#adopt(key, remote);
    }
    return undefined;
  }

  isInput(id: Digest): boolean {
    return this.#keys.isInput(id) || this.#remote?.isInput(id) === true;
  }

  #adopt(key: RecordedKey, { id, outputs }: RemoteResult): StoredResult {
    return this.#keys.adopt({ id, keys: [key], outputs });
  }
}
