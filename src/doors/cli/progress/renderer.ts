import type { BuildEvent } from '../../../engine/index.ts';

/** Shows the events of a build somewhere. Disposing gives the terminal back as it was. */
export interface Renderer extends Disposable {
  readonly event: (event: BuildEvent) => void;
  /** Shows what the process of this step, which has ended, printed last, and leaves the terminal to somebody else until the end of the scope. */
  readonly pause?: ((id: string) => Disposable) | undefined;
  /** The build is over; `error` is what it failed with. */
  readonly finish: (error?: unknown) => void;
  /** The renderer has told of the failure in its own way: nothing more is to be printed. */
  readonly tellsFailure?: boolean | undefined;
}

/** Where a renderer writes. */
export interface Screen {
  readonly isTerminal: boolean;
  /** Of the terminal, now. */
  size(): { readonly columns: number; readonly rows: number };
  write(text: string): void;
  onResize(listener: () => void): Disposable;
}
