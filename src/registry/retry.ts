import type { Clock, Random } from '../base/index.ts';

/** When and how often a request is made again. Times in milliseconds. */
export interface RetryPolicy {
  /** Requests in all, the first one included. */
  readonly attempts: number;
  /** The wait after the first failure; doubled after each further one. */
  readonly firstDelay: number;
  readonly maxDelay: number;
  /** A `Retry-After` above this ends the work instead of being waited for. */
  readonly maxRetryAfter: number;
}

export const RETRY: RetryPolicy = { attempts: 6, firstDelay: 250, maxDelay: 8_000, maxRetryAfter: 120_000 };

const STATUSES: ReadonlySet<number> = new Set([408, 429, 499, 500, 502, 503, 504, 522]);

export function isRetryStatus(status: number): boolean {
  return STATUSES.has(status);
}

/** The wait before the attempt after `failures` failed ones: between half and all of the doubled delay, so that many clients do not come back at once. */
export function backoff(failures: number, policy: RetryPolicy, random: Random): number {
  const full = Math.min(policy.maxDelay, policy.firstDelay * 2 ** (failures - 1));
  return Math.round(full * (0.5 + Number.parseInt(random.hex(2), 16) / 131_070));
}

/** Milliseconds that a `Retry-After` header asks for: seconds or a date (RFC 9110, 10.2.3). */
export function retryAfter(header: string | undefined, clock: Clock): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - clock.now());
}
