import { kindOf, messageOf, type Clock } from '../base/index.ts';

/** That work began, and how it ended; times in milliseconds since the epoch. */
export type WorkEvent =
  | { readonly kind: 'started'; readonly id: string; readonly at: number }
  | {
      readonly kind: 'completed';
      readonly id: string;
      readonly at: number;
      readonly error?: string | undefined;
      readonly cancelled?: boolean | undefined;
    };

/** Tells of work that is no step of a build under an id that was told of as a vertex: that it began, and how it ended. */
export async function toldWork<T>(
  id: string,
  c: { readonly emit: (event: WorkEvent) => void; readonly clock: Clock },
  work: () => Promise<T>,
): Promise<T> {
  const { emit, clock } = c;
  emit({ kind: 'started', id, at: clock.now() });
  try {
    const result = await work();
    emit({ kind: 'completed', id, at: clock.now() });
    return result;
  } catch (error) {
    const cancelled = kindOf(error) === 'cancelled';
    emit({ kind: 'completed', id, at: clock.now(), error: messageOf(error), cancelled });
    throw error;
  }
}
