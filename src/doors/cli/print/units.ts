const SIZES = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Bytes in decimal units: `873B`, `1.05MB` with `digits` decimals. */
export function sizeText(bytes: number, digits = 2): string {
  let unit = 0;
  let value = bytes;
  while (value >= 999.995 && unit < SIZES.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value.toFixed(0) : value.toFixed(digits)}${SIZES[unit]}`;
}

/** Bytes with three significant digits, for tables: `7.83MB`, `125MB`. */
export function shortSize(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < SIZES.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value.toFixed(0) : String(Number(value.toPrecision(3)))}${SIZES[unit]}`;
}

const SPANS: readonly (readonly [seconds: number, name: string])[] = [
  [31_536_000, 'year'],
  [2_592_000, 'month'],
  [604_800, 'week'],
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
];

/** How long ago, in words: `3 hours ago`. */
export function ageText(from: number | undefined, now: number): string {
  if (from === undefined) return '-';
  const seconds = Math.floor((now - from) / 1000);
  if (seconds < 1) return seconds < -60 ? 'in the future' : 'just now';
  for (const [span, name] of SPANS) {
    const count = Math.floor(seconds / span);
    // Two of a unit say more than one of the next: "45 days" rather than "1 month".
    if (count >= (span === 1 || span === 60 ? 1 : 2)) return `${count} ${name}${count === 1 ? '' : 's'} ago`;
  }
  return `${seconds} seconds ago`;
}

/** Seconds with one decimal. */
export function secondsText(milliseconds: number): string {
  return `${(Math.max(0, milliseconds) / 1000).toFixed(1)}s`;
}

/** A digest or ID short enough for a table. */
export function shortId(digest: string): string {
  return digest.replace(/^[a-z0-9]+:/, '').slice(0, 12);
}

export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
