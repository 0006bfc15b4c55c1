/** A queue between one who pushes and one who iterates. What was pushed before the end is always delivered. */
export class Channel<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  #ended: { error?: unknown } | undefined;
  #wake: (() => void) | undefined;

  push(item: T): void {
    if (this.#ended) return;
    this.#items.push(item);
    this.#wake?.();
  }

  /** Ends the iteration once everything pushed so far is delivered; with an error, by throwing it. Later ends and pushes are ignored. */
  end(o: { error?: unknown } = {}): void {
    this.#ended ??= o;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      while (this.#items.length > 0) yield this.#items.shift() as T;
      if (this.#ended) {
        if ('error' in this.#ended) throw this.#ended.error;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}
