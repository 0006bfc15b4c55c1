import { messageOf } from '../../../base/index.ts';
import type { BuildHost } from '../../../worker/index.ts';
import type { Io } from '../io.ts';
import type { Renderer, Screen } from '../progress/renderer.ts';
import { visibleText } from '../progress/text.ts';
import { descriptorWriter, inputBytes } from '../run/standard-streams.ts';

/** `--on-error=shell`: a shell on this process's terminal, in the step that failed. What it shows goes to the terminal alone. */
export function failedStepShell(io: Io, renderer: Renderer): NonNullable<BuildHost['failed']> {
  const onError = io.stderr.isTerminal;
  const screen: Screen = onError ? io.stderr : io.stdout;
  const style = onError ? io.errStyle : io.outStyle;
  return async (step, w) => {
    // What was told of the build so far is shown first.
    await new Promise((resolve) => setImmediate(resolve));
    using _paused = renderer.pause?.(step.id);
    const say = (text: string): void => screen.write(`${text}\n`);
    say(`${style.red('failed')}: ${visibleText(messageOf(step.failure))}`);
    const shell = await step.shell(w);
    if (!shell) {
      say(`${style.yellow('note')}: no shell was opened: there is none that runs in the step's root`);
      return;
    }
    say(`${style.cyan('shell')}: ${shell.join(' ')} in the step's root, as it left it; "exit" ends the build`);
    const ended = new AbortController();
    using input = inputBytes(io.stdin);
    using _raw = rawMode(io);
    using resizing = new DisposableStack();
    await step.run(
      {
        args: shell,
        env: [`TERM=${io.env['TERM'] ?? 'xterm'}`],
        terminal: screen.size(),
        stdin: untilEnd(input, () => ended.abort()),
        stdout: descriptorWriter(onError ? 2 : 1),
        stderr: () => undefined,
        onStart: (control) => void resizing.use(screen.onResize(() => control.resize(screen.size()))),
      },
      { signal: w?.signal ? AbortSignal.any([w.signal, ended.signal]) : ended.signal },
    );
  };
}

/** Every key goes to the shell as it is pressed. */
function rawMode({ stdin }: Io): Disposable {
  stdin.setRawMode?.(true);
  return { [Symbol.dispose]: () => void stdin.setRawMode?.(false) };
}

/** A terminal that is gone ends the shell. */
async function* untilEnd(input: AsyncIterable<Uint8Array>, end: () => void): AsyncIterable<Uint8Array> {
  yield* input;
  end();
}
