import type { Io } from '../io.ts';
import type { Outline } from './outline.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** A script that completes the commands of a program, which goes by the name of the outline. */
export async function completionScript(shell: Shell, program: Outline): Promise<string> {
  if (shell === 'bash') return (await import('./bash.ts')).bashCompletion(program);
  if (shell === 'zsh') return (await import('./zsh.ts')).zshCompletion(program);
  return (await import('./fish.ts')).fishCompletion(program);
}

/** All commands of strake. */
export async function programOutline(io: Io): Promise<Outline> {
  const { outlineOf } = await import('./outline.ts');
  const { createProgram } = await import('../program.ts');
  return outlineOf(await createProgram([], { run: async () => undefined, io, all: true }));
}
