import { fileURLToPath } from 'node:url';
import { openEngine as open, type Engine, type EngineOptions } from '../engine/index.ts';

/** How an engine is opened: its store's folder, and what is to be other than by default. */
export type OpenOptions = Partial<Omit<EngineOptions, 'root'>> & {
  /** The store's folder: made where there is none, shared with other processes of strake. */
  readonly root: string;
};

/** Opens a store and the engine over it, as the program does: packages come from where the machine's apt takes them. Close it with `await using`. */
export async function openEngine(o: OpenOptions): Promise<Engine> {
  return open({
    keeper: { command: process.execPath, args: [...process.execArgv, programPath(), '__keeper'] },
    bases: { apt: async () => (await import('../packages/index.ts')).readAptConfig(), named: new Map() },
    ...o,
  });
}

/** The program that steps of an ordinary user are kept by. */
function programPath(): string {
  const name = import.meta.url.endsWith('.ts') ? '../doors/cli/main.ts' : './main.cjs';
  return fileURLToPath(new URL(name, import.meta.url));
}
