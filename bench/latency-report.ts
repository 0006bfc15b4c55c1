/** The figures of `latency.ts` as a table. */
import type { Latency } from './latency.ts';
import { median } from './median.ts';

/** Milliseconds, and what was to be reached. */
export function latencyTable(found: readonly Latency[]): string[][] {
  const ms = (seconds: number): string => (seconds * 1000).toFixed(0);
  const rows = [['a build with nothing to do', 'median ms', 'fastest', 'slowest', 'more', 'ratio', 'goal']];
  for (const { title, times, beside, goal } of found) {
    const own = median(times);
    const other = found.find(({ name }) => name === beside?.name);
    const than = other && median(other.times);
    const more = than === undefined ? undefined : own - than;
    const wanted = beside ? `at most ${beside.goal} ms more` : goal === undefined ? undefined : `at most ${goal} ms`;
    const met = (more ?? own) * 1000 <= (beside?.goal ?? goal ?? 0);
    rows.push([
      title,
      ms(own),
      ms(Math.min(...times)),
      ms(Math.max(...times)),
      more === undefined ? '' : ms(more),
      than === undefined ? '' : (own / than).toFixed(2),
      wanted === undefined ? '' : `${wanted}: ${met ? 'met' : 'missed'}`,
    ]);
  }
  return rows;
}
