import { WARMER_FLAGS } from './warmer-flags.ts';
import { runProgram, type Program } from './run-program.ts';
import { during } from './stage.ts';
import type { Io } from '../cli/index.ts';

const WARMER: Program = {
  name: 'warmer',
  usage: '-i image… | -d Dockerfile',
  about: "Brings base images into a folder that executor's --cache-dir reads.",
  flags: WARMER_FLAGS,
  async run(parsed, o) {
    const { warmAll } = await import('./warm-all.ts');
    await during('failed warming cache', () => warmAll(parsed, o));
  },
};

/** `warmer`, to the exit code. */
export async function runWarmer(
  argv: readonly string[],
  o: { readonly io: Io; readonly signal: AbortSignal },
): Promise<number> {
  return runProgram(WARMER, argv, o);
}
