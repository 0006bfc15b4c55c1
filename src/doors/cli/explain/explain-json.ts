import type { BuildSummary, ExplainedBuild, ExplainedStep } from '../../../engine/index.ts';

/** What is on record of a build, for programs. Times as RFC 3339, spans in milliseconds. */
export function explainJson(
  build: ExplainedBuild,
  o: { readonly steps: readonly ExplainedStep[]; readonly before: BuildSummary | undefined },
): unknown {
  return {
    project: build.project,
    startedAt: new Date(build.at).toISOString(),
    tookMs: build.took,
    outcome: build.outcome,
    comparedWith: o.before && { startedAt: new Date(o.before.at).toISOString(), outcome: o.before.outcome },
    steps: o.steps.map(({ number, name, text, stage, line, outcome, from, took, causes }) => ({
      number,
      name,
      instruction: text,
      stage,
      line,
      outcome,
      hit: outcome === 'hit',
      from,
      tookMs: took,
      causes: causes.map(plain),
    })),
  };
}

/** The step that is followed by its number alone. */
function plain(cause: ExplainedStep['causes'][number]): unknown {
  if (cause.kind !== 'follows') return cause;
  const { kind, number, name } = cause;
  return { kind, step: number, name };
}
