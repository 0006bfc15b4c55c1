import { systemClock, systemRandom } from '../../base/index.ts';
import { homeFolder } from './home-folder.ts';
import type { Io } from './io.ts';
import { styleFor, wantsColor } from './print/style.ts';
import type { Screen } from './progress/renderer.ts';

/** This process as commands see it. */
export function processIo(): Io {
  const { env, stdout, stderr } = process;
  return {
    env,
    cwd: process.cwd(),
    home: homeFolder(env),
    // Opened by who reads it: that takes a while.
    get stdin() {
      return process.stdin;
    },
    stdout: screenOf(stdout, env),
    stderr: screenOf(stderr, env),
    outStyle: styleFor(wantsColor(env, stdout.isTTY)),
    errStyle: styleFor(wantsColor(env, stderr.isTTY)),
    clock: systemClock,
    random: systemRandom,
  };
}

function screenOf(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Screen {
  return {
    isTerminal: stream.isTTY,
    size: () => ({
      columns: stream.columns || Number(env['COLUMNS']) || 80,
      rows: stream.rows || Number(env['LINES']) || 24,
    }),
    write: (text) => void stream.write(text),
    onResize: (listener) => {
      stream.on('resize', listener);
      return { [Symbol.dispose]: () => void stream.off('resize', listener) };
    },
  };
}
