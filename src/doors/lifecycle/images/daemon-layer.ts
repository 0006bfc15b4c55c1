import { Lazy, type Wait } from '../../../base/index.ts';
import type { Descriptor, Digest, DiskBlobStore } from '../../../blob/index.ts';
import type { Layer } from '../../../image/index.ts';
import { openableLayer, plainLayer } from './plain-layer.ts';

/** A layer of an image in a daemon: its content is fetched when somebody wants it, from the launch cache or out of the whole image. */
export class DaemonLayer implements Layer {
  readonly id: Digest;
  readonly #whole: Lazy<Layer>;

  /** `find` gives the layer with its content. */
  constructor(id: Digest, o: { find: (w?: Wait) => Promise<Layer>; store: () => Promise<DiskBlobStore> }) {
    this.id = id;
    this.#whole = new Lazy(async () => openableLayer(await o.find(), { diffId: id, store: await o.store() }));
  }

  /** The same with its content at hand. */
  whole(w?: Wait): Promise<Layer> {
    return this.#whole.get(w);
  }

  /** The same for an archive that leaves its content out. */
  named(): Layer {
    return plainLayer(this.id, { size: 0, open: async () => Promise.reject(new TypeError(`read layer ${this.id}`)) });
  }

  async descriptor(w?: Wait): Promise<Descriptor> {
    return (await this.whole(w)).descriptor(w);
  }

  async diffId(): Promise<Digest> {
    return this.id;
  }

  async compressed(w?: Wait): ReturnType<Layer['compressed']> {
    return (await this.whole(w)).compressed(w);
  }

  async uncompressed(w?: Wait): ReturnType<Layer['uncompressed']> {
    return (await this.whole(w)).uncompressed(w);
  }
}
