import { Channel } from '../base/index.ts';
import type { BuildEvent } from './builder.ts';

/** Bytes of logs that may wait to be taken before those who write them have to. */
const WAITING = 1 << 20;

/** The events of a build on their way to whoever follows it. Logs are held up when nobody takes them, so that a step that says much takes no memory. */
export class EventQueue implements AsyncIterable<BuildEvent> {
  readonly #events = new Channel<BuildEvent>();
  #bytes = 0;
  #ended = false;
  #room: PromiseWithResolvers<void> | undefined;

  push(event: BuildEvent): void | Promise<void> {
    this.#events.push(event);
    if (event.kind !== 'log' || this.#ended) return undefined;
    this.#bytes += event.chunk.length;
    if (this.#bytes <= WAITING) return undefined;
    return (this.#room ??= Promise.withResolvers()).promise;
  }

  end(o: { error?: unknown } = {}): void {
    this.#events.end(o);
    this.leave();
  }

  /** Nobody takes events any more: nobody waits for that either. */
  leave(): void {
    this.#ended = true;
    this.#room?.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<BuildEvent> {
    for await (const event of this.#events) {
      if (event.kind === 'log') this.#taken(event.chunk.length);
      yield event;
    }
  }

  #taken(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#bytes > WAITING / 2) return;
    this.#room?.resolve();
    this.#room = undefined;
  }
}
