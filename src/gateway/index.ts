export { bridgeOf, bridgeService, type BridgeParts } from './bridge.ts';
export { gatewayError } from './errors.ts';
export { toFailure, type SourceTexts } from './failure.ts';
export { toPlan } from './results.ts';
export { solveHere, type SolveCall } from './solve-call.ts';
export { rangesOf, sourceInfoOf } from './source-info.ts';
export type { Steered } from './steered.ts';
export { Steering, type Held } from './steering.ts';
