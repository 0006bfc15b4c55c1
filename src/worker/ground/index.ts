export type { Ground, GroundReport } from './ground.ts';
