import type { BuiltBuildpack, ModuleId, PlanEntry, Requirement } from '../model/types.ts';

/** What a module is to provide: the requirements of every entry that names it (platform.md, builder). */
export function buildpackPlan(plan: readonly PlanEntry[], module: ModuleId): readonly Requirement[] {
  return plan
    .filter(({ providers }) => providers.some(({ kind, id }) => kind === module.kind && id === module.id))
    .flatMap(({ requires }) => requires);
}

/** What is left of the plan for later modules: entries with a name that was met are gone, unmet ones go to the next provider. */
export function nextPlan(plan: readonly PlanEntry[], built: Pick<BuiltBuildpack, 'met'>): readonly PlanEntry[] {
  const met = new Set(built.met);
  return plan.filter(({ requires }) => !requires.some(({ name }) => met.has(name)));
}
