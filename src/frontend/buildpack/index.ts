export { buildpackError } from './errors.ts';
export * from './model/index.ts';
export type * from './model/types.ts';
export { planLayers, type Built, type PlanLayersInput } from './export/plan-layers.ts';
