import { constants } from 'node:os';
import { converse, type ContainerRecord, type Conversation } from '../../../machine/index.ts';
import type { CliContext } from '../command.ts';
import { descriptorWriter, inputBytes } from '../run/standard-streams.ts';
import { takeSignals } from '../run/take-signals.ts';
import { openContainers } from './containers.ts';
import { askIfWatched } from './stop.ts';

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const PASSED_ON = ['SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const;
/** A launcher passes on what the terminal sent to both: that is no second wish. */
const ECHO_MS = 100;
const DETACH = Buffer.from([0x10, 0x11]);

/**
 * Shows what a container says from now on, and gives it what is typed; its exit code at the end. The first signal to end asks the container to, the second kills it. On a terminal Ctrl-P Ctrl-Q leaves it running: the code is 0 then.
 */
export async function attachTo(
  record: ContainerRecord,
  o: { readonly c: CliContext; readonly stdin: boolean; readonly terminal: boolean },
): Promise<number> {
  const { c } = o;
  const { io } = c;
  const { store } = openContainers(c);
  const ask = (question: Parameters<typeof askIfWatched>[1]): void =>
    void askIfWatched(record, question, c).catch(() => undefined);
  let asked: number | undefined;
  using _signals = takeSignals([...ENDING, ...PASSED_ON], (name) => {
    if (!(ENDING as readonly string[]).includes(name)) return ask({ ask: 'signal', number: constants.signals[name] });
    const now = io.clock.now();
    if (asked === undefined) ask({ ask: 'stop' });
    else if (now - asked > ECHO_MS) ask({ ask: 'signal', number: constants.signals.SIGKILL });
    asked ??= now;
  });
  using input = o.stdin ? inputBytes(io.stdin) : undefined;
  using terminal = terminalOf({ c, raw: o.terminal && o.stdin });
  const leaving = new AbortController();
  const keys = input && (o.terminal ? until(input, DETACH, () => leaving.abort()) : input);
  try {
    const code = await converse(
      { ask: 'attach', stdin: o.stdin, size: o.terminal ? io.stdout.size() : undefined },
      {
        folder: store.folderOf(record.id),
        name: record.name,
        stdin: keys,
        stdout: descriptorWriter(1),
        stderr: descriptorWriter(2),
        begun: (conversation) => terminal.watch(conversation, o.terminal),
        signal: AbortSignal.any([c.signal, leaving.signal]),
      },
    );
    return code ?? 0;
  } catch (error) {
    if (!leaving.signal.aborted) throw error;
    return 0;
  }
}

/** The terminal of this process, raw while somebody types into a container, until the end of the scope. */
export function terminalOf(o: { readonly c: CliContext; readonly raw: boolean }): Disposable & {
  watch(conversation: Conversation, isTerminal: boolean): void;
} {
  const { io } = o.c;
  const raw = o.raw && io.stdin.isTTY === true;
  if (raw) io.stdin.setRawMode?.(true);
  let resized: Disposable | undefined;
  return {
    watch: (conversation, isTerminal) => {
      if (isTerminal) resized = io.stdout.onResize(() => conversation.resize(io.stdout.size()));
    },
    [Symbol.dispose]: () => {
      resized?.[Symbol.dispose]();
      if (raw) io.stdin.setRawMode?.(false);
    },
  };
}

/** What is typed, until a sequence of keys, of which nothing is passed on once it is whole. */
async function* until(input: AsyncIterable<Uint8Array>, keys: Buffer, found: () => void): AsyncIterable<Uint8Array> {
  let held = Buffer.alloc(0);
  for await (const chunk of input) {
    const bytes = Buffer.concat([held, chunk]);
    const at = bytes.indexOf(keys);
    if (at >= 0) {
      if (at > 0) yield bytes.subarray(0, at);
      found();
      return;
    }
    const keep = bytes.at(-1) === keys[0] ? 1 : 0;
    held = Buffer.from(bytes.subarray(bytes.length - keep));
    if (bytes.length > keep) yield bytes.subarray(0, bytes.length - keep);
  }
}
