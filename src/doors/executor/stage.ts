const stages = new WeakMap<object, string>();

/** Runs a part of the work; what it throws is told with these words before it, as kaniko does. */
export async function during<T>(words: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (typeof error === 'object' && error !== null && !stages.has(error)) stages.set(error, words);
    throw error;
  }
}

/** The words of the part in which something was thrown. */
export function stageOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null ? stages.get(error) : undefined;
}
