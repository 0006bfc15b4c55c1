export { groundError } from './errors.ts';
export type { ContainerdPlace } from './containerd-ground.ts';
export type { Ground, GroundReport } from './ground.ts';
export { keeperMain } from './keeper.ts';
export type { PlainSettings } from './in-place-ground.ts';
export { openGround, type GroundName, type GroundOptions } from './open-ground.ts';
export { findIdMaps, startInNamespaces, type IdMaps } from './namespaces.ts';
