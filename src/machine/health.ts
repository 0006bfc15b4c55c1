import { cancelled, hasCode, sleep, type Clock, type Random, type Wait } from '../base/index.ts';
import type { Executor, JoiningProcess, Process } from '../exec/index.ts';
import type { Healthcheck, RunConfig } from '../image/index.ts';

export type Health = 'healthy' | 'unhealthy';

const NS = 1_000_000;
/** Docker's defaults, milliseconds. */
const INTERVAL = 30_000;
const TIMEOUT = 30_000;
const START_INTERVAL = 5_000;
const RETRIES = 3;
/** Of what a check says, the end is kept. */
const SAID = 4096;

/** What a health check runs; undefined for none. */
export function healthCommand(config: RunConfig): readonly string[] | undefined {
  const [kind, ...args] = config.Healthcheck?.Test ?? [];
  if (args.length === 0) return undefined;
  if (kind === 'CMD') return args;
  if (kind === 'CMD-SHELL') return [...(config.Shell?.length ? config.Shell : ['/bin/sh', '-c']), args[0] ?? ''];
  return undefined;
}

/**
 * Runs an image's health check beside its process, on its interval, until the signal fires; tells when the health changes (docker engine, daemon/health.go): unhealthy after so many failures in a row, of which those in the start
 * period do not count; healthy by one success.
 */
export async function watchHealth(
  o: {
    readonly id: string;
    readonly executor: Executor;
    readonly config: RunConfig;
    readonly process: Pick<Process, 'env' | 'cwd' | 'user'>;
    readonly clock: Clock;
    readonly random: Random;
    readonly onChange: (health: Health, detail: string) => void;
  } & Wait,
): Promise<void> {
  const args = healthCommand(o.config);
  const check = o.config.Healthcheck;
  if (!args || !check) return;
  const times = timesOf(check);
  const begun = o.clock.now();
  let health: Health | undefined;
  let failures = 0;
  while (o.signal?.aborted !== true) {
    const starting = health === undefined && o.clock.now() - begun < times.startPeriod;
    try {
      await sleep(starting ? Math.min(times.interval, times.startInterval) : times.interval, o);
    } catch {
      return;
    }
    const inPeriod = health === undefined && o.clock.now() - begun < times.startPeriod;
    const outcome = await probe(args, { ...o, timeout: times.timeout });
    if (outcome === undefined) continue;
    if (outcome.ok) {
      failures = 0;
      if (health !== 'healthy') o.onChange((health = 'healthy'), outcome.said);
    } else if (!inPeriod && ++failures >= times.retries && health !== 'unhealthy')
      o.onChange((health = 'unhealthy'), outcome.said);
  }
}

function timesOf(
  check: Healthcheck,
): Record<'interval' | 'timeout' | 'startPeriod' | 'startInterval' | 'retries', number> {
  const ms = (ns: number | undefined, otherwise: number): number => (ns === undefined || ns <= 0 ? otherwise : ns / NS);
  return {
    interval: ms(check.Interval, INTERVAL),
    timeout: ms(check.Timeout, TIMEOUT),
    startPeriod: ms(check.StartPeriod, 0),
    startInterval: ms(check.StartInterval, START_INTERVAL),
    retries: check.Retries !== undefined && check.Retries > 0 ? check.Retries : RETRIES,
  };
}

/** One check; undefined when there is nothing to be said: the process does not run yet or any more, or is given up. */
async function probe(
  args: readonly string[],
  o: {
    readonly id: string;
    readonly executor: Executor;
    readonly process: Pick<Process, 'env' | 'cwd' | 'user'>;
    readonly random: Random;
    readonly timeout: number;
  } & Wait,
): Promise<{ readonly ok: boolean; readonly said: string } | undefined> {
  const { env, cwd, user } = o.process;
  const process: JoiningProcess = { id: `health-${o.random.hex(6)}`, args, env, cwd, user };
  let said = '';
  const hear = (chunk: Uint8Array): void => void (said = (said + Buffer.from(chunk).toString()).slice(-SAID));
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(cancelled(`no answer in ${o.timeout / 1000} s`)), o.timeout);
  try {
    const signal = o.signal ? AbortSignal.any([o.signal, late.signal]) : late.signal;
    const code = await o.executor.running.join(o.id, process, { io: { stdout: hear, stderr: hear }, signal });
    return { ok: code === 0, said: said.trim() || `exit code ${code}` };
  } catch (error) {
    if (o.signal?.aborted === true || hasCode(error, 'PROCESS_ABSENT')) return undefined;
    if (late.signal.aborted) return { ok: false, said: `no answer in ${o.timeout / 1000} s` };
    return { ok: false, said: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}
