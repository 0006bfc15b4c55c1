/** Bytes on their way from one who has them to one who asks, in order; `taken` is told how many were asked for. */
export class ByteQueue implements AsyncIterable<Uint8Array> {
  readonly #chunks: Uint8Array[] = [];
  readonly #taken: (bytes: number) => void;
  #ended = false;
  #error: unknown;
  #wake: (() => void) | undefined;

  constructor(taken: (bytes: number) => void = () => undefined) {
    this.#taken = taken;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#wake?.();
  }

  end(error?: unknown): void {
    this.#ended = true;
    this.#error ??= error;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk) {
        this.#taken(chunk.length);
        yield chunk;
      } else if (this.#ended) {
        if (this.#error !== undefined) throw this.#error;
        return;
      } else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}
