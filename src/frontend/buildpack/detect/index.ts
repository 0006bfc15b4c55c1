export { detectGroup, type DetectInput, type Detected, type DetectModule } from './detect.ts';
export type { PhaseLine } from './log.ts';
