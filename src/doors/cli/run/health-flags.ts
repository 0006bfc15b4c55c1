import type { Healthcheck, ImageConfig } from '../../../image/index.ts';
import { usage } from '../errors.ts';
import { durationOf } from '../parse/values.ts';
import type { RunFlags } from './flags.ts';

const NS = 1_000_000;

/** The image's configuration with the health check and stop signal that the flags put in its place. */
export function withRunFlags(image: ImageConfig, flags: RunFlags): ImageConfig {
  const config = image.config ?? {};
  const StopSignal = flags.stopSignal ?? config.StopSignal;
  const Healthcheck = healthOf(config.Healthcheck, flags);
  return {
    ...image,
    config: {
      ...config,
      ...(StopSignal === undefined ? {} : { StopSignal }),
      ...(Healthcheck === undefined ? {} : { Healthcheck }),
    },
  };
}

function healthOf(before: Healthcheck | undefined, flags: RunFlags): Healthcheck | undefined {
  const { healthCmd, healthRetries: retries } = flags;
  const spans: readonly (readonly [keyof Healthcheck, string | undefined, string])[] = [
    ['Interval', flags.healthInterval, '--health-interval'],
    ['Timeout', flags.healthTimeout, '--health-timeout'],
    ['StartPeriod', flags.healthStartPeriod, '--health-start-period'],
    ['StartInterval', flags.healthStartInterval, '--health-start-interval'],
  ];
  const given = Object.fromEntries(
    spans.flatMap(([key, text, flag]) => (text === undefined ? [] : [[key, durationOf(text, flag) * NS]])),
  );
  if (retries !== undefined && !/^\d{1,6}$/.test(retries))
    throw usage(`read --health-retries "${retries}": it is no number`);
  const changes: Healthcheck = {
    ...given,
    ...(healthCmd === undefined ? {} : { Test: ['CMD-SHELL', healthCmd] }),
    ...(retries === undefined ? {} : { Retries: Number(retries) }),
  };
  return Object.keys(changes).length === 0 ? before : { ...before, ...changes };
}
