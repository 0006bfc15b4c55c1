export { solveError } from './errors.ts';
export { KeyStore, type NewResult, type RecordedKey, type StoredResult } from './key-store.ts';
export { SharedWork, type SharedOptions } from './shared-work.ts';
export type { RemoteKeys, RemoteResult } from './remote-keys.ts';
export type { RecordedStep, Solve, SolveOptions } from './solve.ts';
export { Solver, type SolverOptions, type Slots } from './solver.ts';
export type {
  CacheKey,
  CacheVerdict,
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
