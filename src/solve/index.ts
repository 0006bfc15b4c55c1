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
