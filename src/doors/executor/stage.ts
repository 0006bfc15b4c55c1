/** What was being done, and where the file that an error points into can be read. */
export interface Stage {
  readonly words: string;
  readonly source?: ((file: string) => string | undefined) | undefined;
}

const stages = new WeakMap<object, Stage>();

/** Runs a part of the work; what it throws is told with these words before it, as kaniko does. */
export async function during<T>(words: string, work: () => Promise<T>, source?: Stage['source']): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (typeof error === 'object' && error !== null && !stages.has(error)) stages.set(error, { words, source });
    throw error;
  }
}

/** The part in which something was thrown. */
export function stageOf(error: unknown): Stage | undefined {
  return typeof error === 'object' && error !== null ? stages.get(error) : undefined;
}
