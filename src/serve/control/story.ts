import { create } from '../../wire/grpc/index.ts';
import { StatusResponseSchema, type StatusResponse } from '../../wire/gen/buildkit/control_pb.ts';
import type { Wait } from '../../base/index.ts';

/** What is held for one status stream at most before it is sent as one message. */
const BATCH = 200;

/** What has been said of a build so far; who comes late hears it from the beginning. Progress of an item replaces what was said of it before. */
export class Story {
  readonly #said: (StatusResponse | undefined)[] = [];
  /** Where the last progress of an item stands. */
  readonly #progress = new Map<string, number>();
  #wake = Promise.withResolvers<void>();
  #ended = false;

  say(part: StatusResponse): void {
    if (this.#ended) return;
    const [status] = part.statuses;
    if (status && part.vertexes.length + part.logs.length + part.warnings.length === 0 && part.statuses.length === 1) {
      const key = `${status.vertex}\n${status.ID}`;
      const before = this.#progress.get(key);
      if (before !== undefined) this.#said[before] = undefined;
      this.#progress.set(key, this.#said.length);
    }
    this.#said.push(part);
    this.#tell();
  }

  get ended(): boolean {
    return this.#ended;
  }

  end(): void {
    this.#ended = true;
    this.#tell();
  }

  /** All that was said. */
  all(): readonly StatusResponse[] {
    return this.#said.filter((part) => part !== undefined);
  }

  /** From the beginning to the end, as it is said. */
  async *follow(w: Wait = {}): AsyncIterable<StatusResponse> {
    const stopped = Promise.withResolvers<void>();
    const stop = (): void => stopped.resolve();
    w.signal?.addEventListener('abort', stop, { once: true });
    try {
      let at = 0;
      for (;;) {
        const { promise } = this.#wake;
        while (at < this.#said.length) {
          const to = Math.min(this.#said.length, at + BATCH);
          const parts = this.#said.slice(at, to).filter((part) => part !== undefined);
          at = to;
          if (parts.length > 0) yield joined(parts);
          if (w.signal?.aborted) return;
        }
        if (this.#ended || w.signal?.aborted) return;
        await Promise.race([promise, stopped.promise]);
      }
    } finally {
      w.signal?.removeEventListener('abort', stop);
    }
  }

  #tell(): void {
    const { resolve } = this.#wake;
    this.#wake = Promise.withResolvers();
    resolve();
  }
}

function joined(parts: readonly StatusResponse[]): StatusResponse {
  const [only] = parts;
  if (parts.length === 1 && only) return only;
  return create(StatusResponseSchema, {
    vertexes: parts.flatMap((part) => part.vertexes),
    statuses: parts.flatMap((part) => part.statuses),
    logs: parts.flatMap((part) => part.logs),
    warnings: parts.flatMap((part) => part.warnings),
  });
}
