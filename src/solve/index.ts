export { solveError } from './errors.ts';
export { KeyStore, type StoredResult } from './key-store.ts';
export type { Solve } from './solve.ts';
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
