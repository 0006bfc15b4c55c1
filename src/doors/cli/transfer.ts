import { kindOf, messageOf } from '../../base/index.ts';
import type { TransferProgress } from '../../engine/index.ts';
import type { CliContext } from './command.ts';
import { createRenderer, progressMode } from './progress/create-renderer.ts';
import { markFailure } from './run-cli.ts';

/** How work that is no build is told of, as one step of its own. */
export interface Telling {
  readonly onProgress: (progress: TransferProgress) => void;
  readonly onLog: (line: string) => void;
}

/** Runs something that takes its time, with progress as a build's on standard error. */
export async function withProgress<T>(
  c: CliContext,
  o: {
    readonly title: string;
    readonly name: string;
    readonly quiet?: boolean | undefined;
    readonly progress?: string | undefined;
    /** Off a terminal nothing is told. */
    readonly discreet?: boolean | undefined;
  },
  work: (telling: Telling) => Promise<T>,
): Promise<T> {
  const { io } = c;
  const mode = o.quiet || (o.discreet && !io.stderr.isTerminal) ? 'quiet' : progressMode(o.progress, io.env);
  using renderer = createRenderer(mode, io.stderr, {
    clock: io.clock,
    style: io.errStyle,
    env: io.env,
    title: o.title,
  });
  const id = o.name;
  const now = (): number => io.clock.now();
  renderer.event({ kind: 'vertex', id, name: o.name, inputs: [] });
  renderer.event({ kind: 'started', id, at: now() });
  try {
    const result = await work({
      onProgress: ({ item, current, total, done }) => {
        renderer.event({
          kind: 'progress',
          id,
          at: now(),
          progress: {
            item: done === 'exists' || done === 'mounted' ? `${item} ${done}` : item,
            current,
            total,
            unit: 'bytes',
            done: done !== undefined,
          },
        });
      },
      onLog: (line) =>
        renderer.event({ kind: 'log', id, at: now(), stream: 'stdout', chunk: Buffer.from(`${line}\n`) }),
    });
    renderer.event({ kind: 'completed', id, at: now() });
    renderer.finish();
    return result;
  } catch (error) {
    renderer.event({
      kind: 'completed',
      id,
      at: now(),
      error: messageOf(error),
      cancelled: kindOf(error) === 'cancelled',
    });
    renderer.finish(error);
    markFailure(error, { told: renderer.tellsFailure });
    throw error;
  }
}
