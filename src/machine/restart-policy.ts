import { machineError } from './errors.ts';

/** What is done when a container has ended by itself (docker run, --restart). */
export interface RestartPolicy {
  readonly kind: 'no' | 'on-failure' | 'always' | 'unless-stopped';
  /** For `on-failure`: starts again at most so often. */
  readonly most?: number | undefined;
}

/** `no`, `on-failure[:N]`, `always`, `unless-stopped`. Throws `RUN_INVALID`. */
export function parseRestart(text: string): RestartPolicy {
  const [, kind, most] = /^(no|on-failure|always|unless-stopped)(?::(\d{1,9}))?$/.exec(text) ?? [];
  if (kind === undefined || (most !== undefined && kind !== 'on-failure'))
    throw machineError('RUN_INVALID', `read --restart "${text}": there is no such policy`, {
      remedy: 'Use no, on-failure, on-failure:N, always or unless-stopped.',
    });
  return {
    kind: kind as RestartPolicy['kind'],
    ...(most === undefined || Number(most) === 0 ? {} : { most: Number(most) }),
  };
}

export function restartText({ kind, most }: RestartPolicy): string {
  return most === undefined ? kind : `${kind}:${most}`;
}

/** Whether a container that ended by itself is started again. `restarts`: how often it was already. */
export function startsAgain(policy: RestartPolicy, o: { readonly code: number; readonly restarts: number }): boolean {
  if (policy.kind === 'no') return false;
  if (policy.kind !== 'on-failure') return true;
  return o.code !== 0 && (policy.most === undefined || o.restarts < policy.most);
}

const FIRST_MS = 100;
const MOST_MS = 60_000;
/** One that ran so long begins anew. */
const GOOD_MS = 10_000;

/** Milliseconds to wait before the next start: doubled each time, up to a minute (docker engine, restartmanager). */
export function nextDelay(before: number | undefined, ranMs: number): number {
  return before === undefined || ranMs >= GOOD_MS ? FIRST_MS : Math.min(before * 2, MOST_MS);
}
