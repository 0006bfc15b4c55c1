const SPACE: Readonly<Record<string, number>> = {
  '': 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
};

/** Bytes of "512MB", "20GB", "1g" (powers of 1024, as BuildKit's units.RAMInBytes). Undefined for anything else. */
export function bytesFrom(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*$/i.exec(text);
  if (!match) return undefined;
  return Math.trunc(Number(match[1]) * (SPACE[(match[2] ?? '').toLowerCase()] ?? 1));
}

const TIME: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of "48h", "1h30m" or a number of seconds. Undefined for anything else. */
export function millisecondsFrom(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, count = '', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    sum += Number(count) * (TIME[unit] ?? 0);
  return sum;
}
