/** The option nearest to `value`, fewer than three edits away; none when `value` is one of them (the fault is elsewhere then). */
export function nearest(value: string, options: Iterable<string>, ignoreCase = false): string | undefined {
  const wanted = ignoreCase ? value.toLowerCase() : value;
  let best: string | undefined;
  let distance = 3;
  for (const option of options) {
    const candidate = ignoreCase ? option.toLowerCase() : option;
    if (candidate === wanted) return undefined;
    if (Math.abs(candidate.length - wanted.length) >= distance) continue;
    const edits = levenshtein(wanted, candidate);
    if (edits < distance) {
      distance = edits;
      best = ignoreCase ? inCaseOf(candidate, value) : option;
    }
  }
  return best;
}

/** ` (did you mean X?)`, or nothing. */
export function didYouMean(value: string, options: Iterable<string>, ignoreCase = false): string {
  const match = nearest(value, options, ignoreCase);
  return match === undefined ? '' : ` (did you mean ${match}?)`;
}

/** Edits (insert, remove, replace one character) that lead from `a` to `b`. */
export function levenshtein(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replace = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replace, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

function inCaseOf(text: string, example: string): string {
  if (example === example.toLowerCase()) return text.toLowerCase();
  if (example === example.toUpperCase()) return text.toUpperCase();
  return text;
}
