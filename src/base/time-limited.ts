import { createContext, Script, type Context } from 'node:vm';

let machine:
  | { readonly script: Script; readonly context: Context & { work?: (() => unknown) | undefined } }
  | undefined;

/** Work that is broken off after so many milliseconds: a pattern of somebody else's at work. Throws what it throws, and an `Error` that says that it took too long. */
export function timeLimited<T>(work: () => T, ms: number): T {
  machine ??= { script: new Script('work()'), context: createContext({}) };
  const { script, context } = machine;
  context.work = work;
  try {
    return script.runInContext(context, { timeout: ms }) as T;
  } finally {
    context.work = undefined;
  }
}
