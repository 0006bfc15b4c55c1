import { sleep, throwIfCancelled, type CodedError } from '../../../base/index.ts';
import { Health } from '../../gen/grpc/health_pb.ts';
import { fromStatus, type GrpcConnection } from '../../grpc/index.ts';
import { sessionError } from './errors.ts';

export interface HealthLimits {
  /** Between two checks. */
  readonly everyMs: number;
  /** For an answer; a slow line gets half as much again as its last answer took. */
  readonly timeoutMs: number;
  /** So many checks in a row without an answer, and the client has gone. */
  readonly failures: number;
}

/** BuildKit's own. */
const USUAL: HealthLimits = { everyMs: 5000, timeoutMs: 15_000, failures: 2 };

/** As `x-buildkit-session-health-custom-timeout` (milliseconds) would have it: at least a second. */
export function healthLimits(custom: string | undefined): HealthLimits {
  if (custom === undefined || !/^[1-9]\d{0,9}$/.test(custom)) return USUAL;
  const ms = Math.max(1000, Number(custom));
  return { everyMs: ms, timeoutMs: ms, failures: 1 };
}

/** Asks the other side every few seconds whether it is there; gives back the error for when it is not. Ends when the signal fires, with undefined. */
export async function watchHealth(
  connection: GrpcConnection,
  o: { readonly limits: HealthLimits; readonly signal: AbortSignal },
): Promise<CodedError | undefined> {
  const health = connection.client(Health);
  const { limits, signal } = o;
  let failed = 0;
  let last = 0;
  try {
    for (;;) {
      await sleep(limits.everyMs, { signal });
      const from = performance.now();
      try {
        await health.check({}, { signal, timeoutMs: Math.max(limits.timeoutMs, Math.ceil(last * 1.5)) });
        failed = 0;
      } catch (error) {
        throwIfCancelled({ signal });
        failed += 1;
        if (failed >= limits.failures)
          return sessionError('SESSION_GONE', `check the client of the session: ${fromStatus(error).message}`, {
            cause: error,
          });
      }
      last = performance.now() - from;
    }
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}
