export { groundError } from './errors.ts';
export type { Ground, GroundReport } from './ground.ts';
export { keeperMain } from './keeper.ts';
export { openGround, type GroundOptions } from './open-ground.ts';
export { probeGround, probeGrounds, type GroundProbe } from './probe-grounds.ts';
export { findIdMaps, startInNamespaces, type IdMaps } from './namespaces.ts';
