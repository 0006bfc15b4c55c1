export type * from './container.ts';
export type {
  Attestation,
  Companion,
  Frontend,
  FrontendHost,
  FrontendRequest,
  Plan,
  PlannedImage,
  PlannedLayer,
  PlatformKey,
  Ref,
  Resolved,
  Warning,
} from './frontend.ts';
export { isChain } from './is-chain.ts';
export { toldWork } from './told-work.ts';
