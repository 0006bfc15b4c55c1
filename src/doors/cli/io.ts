import type { Readable } from 'node:stream';
import type { Clock, Random } from '../../base/index.ts';
import type { Screen } from './progress/renderer.ts';
import type { Style } from './print/style.ts';

/** What a command may touch of the process that it runs in. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  readonly stdin: Readable & {
    readonly isTTY?: boolean | undefined;
    setRawMode?: ((mode: boolean) => unknown) | undefined;
  };
  readonly stdout: Screen;
  readonly stderr: Screen;
  /** Of standard output and of standard error. */
  readonly outStyle: Style;
  readonly errStyle: Style;
  readonly clock: Clock;
  readonly random: Random;
}
