/** What tells which step of one build is which of another. */
export interface Matchable {
  readonly vertex: string;
  /** Kind of its op. */
  readonly op: string;
  /** The stage it stands in. */
  readonly group?: string | undefined;
  /** The instruction as it is written. */
  readonly text: string;
}

/**
 * Which step of an earlier build each step is, by position: the same vertex; else, stage by stage, the same text in the same order; else, between two that are found, the same kind of instruction in the same order; else the same
 * text anywhere. No step of the earlier build is taken twice.
 */
export function matchSteps(now: readonly Matchable[], before: readonly Matchable[]): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  const taken = new Set<number>();
  const take = (at: number, old: number): void => {
    found.set(at, old);
    taken.add(old);
  };
  const byVertex = new Map(before.map(({ vertex }, at) => [vertex, at]));
  for (const [at, { vertex }] of now.entries()) {
    const old = byVertex.get(vertex);
    if (old !== undefined && !taken.has(old)) take(at, old);
  }
  const earlier = groups(before);
  for (const [group, positions] of groups(now)) {
    const others = (earlier.get(group) ?? []).filter((old) => !taken.has(old));
    const open = positions.filter((at) => !found.has(at));
    const pairs = commonSequence(open, others, (at, old) => isAlike(now[at], before[old]));
    for (const [at, old] of pairs) take(at, old);
    pairBetween(pairs, { open, others }, (at, old) => {
      if (now[at]?.op === before[old]?.op && wordOf(now[at]) === wordOf(before[old])) take(at, old);
    });
  }
  const byText = new Map<string, number[]>();
  for (const [old, { op, text }] of before.entries()) {
    const id = `${op} ${text}`;
    if (!taken.has(old)) byText.set(id, [...(byText.get(id) ?? []), old]);
  }
  for (const [at, { op, text }] of now.entries()) {
    const old = found.has(at) ? undefined : byText.get(`${op} ${text}`)?.shift();
    if (old !== undefined) take(at, old);
  }
  return found;
}

/** Longest common subsequence, as pairs in order. */
function commonSequence(
  a: readonly number[],
  b: readonly number[],
  same: (x: number, y: number) => boolean,
): readonly (readonly [number, number])[] {
  const width = b.length + 1;
  const best = new Uint32Array((a.length + 1) * width);
  const cell = (i: number, j: number): number => best[i * width + j] ?? 0;
  const equal = (i: number, j: number): boolean => same(a[i] as number, b[j] as number);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      best[i * width + j] = equal(i, j) ? cell(i + 1, j + 1) + 1 : Math.max(cell(i + 1, j), cell(i, j + 1));
  const pairs: (readonly [number, number])[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (equal(i, j)) pairs.push([a[i++] as number, b[j++] as number]);
    else if (cell(i + 1, j) >= cell(i, j + 1)) i += 1;
    else j += 1;
  }
  return pairs;
}

/** What lies between two pairs, in order, side by side. */
function pairBetween(
  pairs: readonly (readonly [number, number])[],
  o: { readonly open: readonly number[]; readonly others: readonly number[] },
  see: (at: number, old: number) => void,
): void {
  let [i, j] = [0, 0];
  for (const [at, old] of [...pairs, [undefined, undefined] as const]) {
    const [endI, endJ] = [
      at === undefined ? o.open.length : o.open.indexOf(at),
      old === undefined ? o.others.length : o.others.indexOf(old),
    ];
    for (let k = 0; i + k < endI && j + k < endJ; k++) see(o.open[i + k] as number, o.others[j + k] as number);
    [i, j] = [endI + 1, endJ + 1];
  }
}

function groups(steps: readonly Matchable[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const [at, { group = '' }] of steps.entries()) {
    const known = found.get(group);
    if (known) known.push(at);
    else found.set(group, [at]);
  }
  return found;
}

function isAlike(a: Matchable | undefined, b: Matchable | undefined): boolean {
  return a?.op === b?.op && a?.text === b?.text;
}

function wordOf(step: Matchable | undefined): string {
  return step?.text.split(' ')[0]?.toUpperCase() ?? '';
}
