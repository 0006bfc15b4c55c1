import type { ExplainedStep } from '../../../engine/index.ts';
import { usage } from '../errors.ts';

/** The steps that a word means: a number, a stage, or the place in it as progress shows it (`build 2/5`). Throws `USAGE`. */
export function pickSteps(steps: readonly ExplainedStep[], word: string): readonly ExplainedStep[] {
  const found = steps.filter(({ number, stage, name }) => {
    const place = /^\[([^\]]*)\]/.exec(name)?.[1]?.replaceAll(/\s+/g, ' ').trim();
    return `${number}` === word || stage?.toLowerCase() === word.toLowerCase() || place === word;
  });
  if (found.length > 0) return found;
  const stages = [...new Set(steps.flatMap(({ stage }) => (stage === undefined ? [] : [stage])))];
  throw usage(
    `explain step "${word}": the build has no such step`,
    `Give a number from 1 to ${steps.length}${stages.length > 0 ? `, or a stage: ${stages.join(', ')}` : ''}.`,
  );
}
