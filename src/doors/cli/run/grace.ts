import { durationOf } from '../parse/values.ts';

/** Milliseconds from seconds, as Docker takes them, or a span; -1 is without end. */
export function graceOf(text: string, flag: string): number {
  return /^(?:\d+|-1)$/.test(text) ? Number(text) * 1000 : durationOf(text, flag);
}
