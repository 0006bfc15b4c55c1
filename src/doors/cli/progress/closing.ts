import { plural } from '../print/units.ts';
import type { Style } from '../print/style.ts';
import { KEPT_LINES } from './step-log.ts';
import type { ProgressModel, Step, Warning } from './model.ts';

const RULE = '------';

/** What a failed step printed, between rules, as BuildKit shows it at the end. Empty when no step failed, it printed nothing, or that was shown already. */
export function failedLog(model: ProgressModel, style: Style): string[] {
  const step = model.failed();
  return !step || step.logShown ? [] : logOf(step, style);
}

/** The same of a step that is about to fail; not shown again then. */
export function logOfFailing(step: Step, style: Style): string[] {
  step.logShown = true;
  return logOf(step, style);
}

function logOf(step: Step, style: Style): string[] {
  if (step.log.count === 0) return [];
  const hidden = step.log.count - step.log.lines.length;
  const since = step.startedAt ?? 0;
  return [
    RULE,
    style.red(` > ${step.name}:`),
    ...(hidden > 0
      ? [style.dim(`[${plural(hidden, 'earlier line')}; --progress=plain shows all, here are the last ${KEPT_LINES}]`)]
      : []),
    ...step.log.lines.map(({ at, text }) => `${(Math.max(0, at - since) / 1000).toFixed(3)} ${text}`),
    RULE,
  ];
}

/** The remarks that did not stop the build, as buildx sums them up. */
export function warningSummary(warnings: readonly Warning[], style: Style): string[] {
  if (warnings.length === 0) return [];
  return [
    '',
    style.yellow(` ${plural(warnings.length, 'warning')} found:`),
    ...warnings.map((warning) => ` - ${warningText(warning)}`),
  ];
}

export function warningText({ code, message, place }: Warning): string {
  return `${code}: ${message}${place ? ` (${place.file}:${place.line})` : ''}`;
}
