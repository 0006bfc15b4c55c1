export type * from './container.ts';
export type {
  Attestation,
  Companion,
  FailedProcess,
  Frontend,
  FrontendHost,
  FrontendRequest,
  Plan,
  PlannedImage,
  PlannedLayer,
  PlatformKey,
  Resolved,
  Warning,
} from './frontend.ts';
export type { Ref } from './ref.ts';
export { isChain } from './is-chain.ts';
export { toldWork } from './told-work.ts';
