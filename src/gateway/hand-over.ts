/** Items from many to one, with a bounded number of bytes on the way: who puts waits until there is room. */
export class HandOver<T> implements AsyncIterable<T> {
  readonly #items: { readonly item: T; readonly size: number }[] = [];
  readonly #most: number;
  #waiting = 0;
  #over = false;
  #wake = Promise.withResolvers<void>();
  #room = Promise.withResolvers<void>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Settles when there is room for more, or nobody takes anything any more. */
  async put(item: T, size = 0): Promise<void> {
    if (this.#over) return;
    this.#items.push({ item, size });
    this.#waiting += size;
    this.#wake.resolve();
    while (this.#waiting > this.#most && !this.#over) await this.#room.promise;
  }

  /** What was put is still given. */
  end(): void {
    this.#over = true;
    this.#wake.resolve();
    this.#room.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    try {
      for (;;) {
        for (let next = this.#items.shift(); next; next = this.#items.shift()) {
          yield next.item;
          this.#waiting -= next.size;
          this.#room.resolve();
          this.#room = Promise.withResolvers<void>();
        }
        if (this.#over) return;
        await this.#wake.promise;
        this.#wake = Promise.withResolvers<void>();
      }
    } finally {
      this.end();
    }
  }
}
