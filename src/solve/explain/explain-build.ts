import { compareLists, type BuildHistory, type BuildSummary, type RecordedBuild } from './build-history.ts';
import type { Cause } from './cause.ts';
import type { TracedStep } from './traced-step.ts';

/** A step of a build on record, as people are told of it. */
export interface ExplainedStep {
  /** From 1, without what is machinery. */
  readonly number: number;
  readonly name: string;
  /** The instruction in it. */
  readonly text: string;
  readonly stage?: string | undefined;
  /** In the Dockerfile. */
  readonly line?: number | undefined;
  readonly outcome: TracedStep['outcome'];
  /** The cache elsewhere that it was found in. */
  readonly from?: string | undefined;
  /** Milliseconds. */
  readonly took?: number | undefined;
  /** What is other than in the build before, the root cause first. */
  readonly causes: readonly (Cause & { readonly number?: number | undefined })[];
}

export interface ExplainedBuild extends BuildSummary {
  readonly steps: readonly ExplainedStep[];
}

/** A build on record with its steps numbered, and every path that changed as long as that is known. */
export function explainBuild(history: BuildHistory, build: RecordedBuild): ExplainedBuild {
  // As they are written: a build has them in the order in which they were come upon.
  const shown = build.steps
    .filter(({ internal }) => internal !== true)
    .sort(({ line: a = 0 }, { line: b = 0 }) => a - b);
  const numbers = new Map(shown.map(({ vertex }, at) => [vertex, at + 1]));
  const { id, project, at, took, outcome, previous } = build;
  const steps = shown.map((step, index): ExplainedStep => {
    const { name, text, group: stage, line, from } = step;
    const causes = step.causes.map((cause) => {
      if (cause.kind === 'follows') return { ...cause, number: numbers.get(cause.step) };
      return cause.kind === 'files' ? whole(cause, history) : cause;
    });
    return { number: index + 1, name, text, stage, line, outcome: step.outcome, from, took: step.took, causes };
  });
  return { id, project, at, took, outcome, previous, steps };
}

/** With all paths, not the first ones alone. */
function whole(cause: Extract<Cause, { kind: 'files' }>, history: BuildHistory): Cause {
  const { lists, ...told } = cause;
  if (!lists || cause.paths.length === cause.changed + cause.added + cause.removed) return told;
  const [before, after] = lists.map((list) => history.piecesOf(list));
  return before && after ? { ...told, ...compareLists(before, after) } : told;
}
