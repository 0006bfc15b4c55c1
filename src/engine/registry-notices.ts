import type { Clock } from '../base/index.ts';
import type { BuildEvent } from './builder.ts';

const ID = 'registries';

/** What registries make a build wait for, and what they have to say, as a step of the build's story that is there only when there is something to tell. */
export class RegistryNotices implements Disposable {
  readonly #emit: (event: BuildEvent) => void;
  readonly #clock: Clock;
  #begun = false;

  constructor(emit: (event: BuildEvent) => void, clock: Clock) {
    this.#emit = emit;
    this.#clock = clock;
  }

  tell(text: string): void {
    const at = this.#clock.now();
    if (!this.#begun) {
      this.#begun = true;
      this.#emit({ kind: 'vertex', id: ID, name: '[internal] registries', inputs: [], internal: true });
      this.#emit({ kind: 'started', id: ID, at });
    }
    this.#emit({ kind: 'note', id: ID, at, text });
  }

  [Symbol.dispose](): void {
    if (this.#begun) this.#emit({ kind: 'completed', id: ID, at: this.#clock.now() });
    this.#begun = false;
  }
}
