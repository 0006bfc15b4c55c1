export type { Cause, PartValue } from './explain/cause.ts';
export {
  BuildHistory,
  type BuildOutcome,
  type BuildSummary,
  type Project,
  type RecordedBuild,
} from './explain/build-history.ts';
export { BuildTrace } from './explain/build-trace.ts';
export { explainBuild, type ExplainedBuild, type ExplainedStep } from './explain/explain-build.ts';
export type { Member, MemberChange, MemberChanges } from './explain/member-list.ts';
export type { StepOutcome } from './explain/traced-step.ts';
export { solveError } from './errors.ts';
export { KeyStore, type NewResult, type RecordedKey, type StoredResult } from './key-store.ts';
export { SharedWork, type SharedOptions } from './shared-work.ts';
export type { RemoteKeys, RemoteResult } from './remote-keys.ts';
export type { RecordedStep, Solve, SolveOptions } from './solve.ts';
export { Solver } from './solver.ts';
export type { SolverOptions, Slots } from './solver-options.ts';
export type {
  CacheKey,
  CacheVerdict,
  Content,
  InputKey,
  KeyPart,
  OpRunner,
  ResultRecord,
  Results,
  Selector,
  SolveEvent,
  StepContext,
  StepProgress,
} from './types.ts';
