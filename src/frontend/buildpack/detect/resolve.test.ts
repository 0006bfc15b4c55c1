import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { DetectPlan, PlanEntry } from '../model/types.ts';
import { DetectLog } from './log.ts';
import { resolveGroup, type Candidate, type Resolution } from './resolve.ts';

interface Drawn {
  readonly optional: boolean;
  readonly code: number;
  readonly plan: readonly (readonly [provides: readonly string[], requires: readonly string[]])[];
}

const names = fc.uniqueArray(fc.constantFrom('x', 'y'), { maxLength: 2 });
const drawn: fc.Arbitrary<Drawn> = fc.record({
  optional: fc.boolean(),
  code: fc.constantFrom(0, 0, 0, 0, 100, 1),
  plan: fc.array(fc.tuple(names, names), { minLength: 1, maxLength: 3 }),
});

const candidates = (all: readonly Drawn[]): readonly Candidate[] =>
  all.map(({ optional, code, plan }, index) => ({
    element: { kind: 'buildpack', id: `b${index}`, version: '1', api: '0.12' },
    optional,
    outcome: {
      code,
      output: '',
      plan: plan.map(([provides, requires]) => ({
        provides,
        requires: requires.map((name) => ({ name, metadata: { by: `b${index}` } })),
      })) satisfies DetectPlan,
    },
  }));

/**
 * The specification read another way: of all subsets of the passing modules that hold every required one (with the alternative of each chosen in order), the one that can stay, found by asking each subset, largest first.
 */
function reference(all: readonly Drawn[]): readonly string[] | undefined {
  if (all.some(({ code, optional }) => code !== 0 && !optional)) return undefined;
  const passed = all.flatMap((one, index) => (one.code === 0 ? [{ ...one, id: `b${index}` }] : []));
  const choices = passed.reduce<readonly (readonly number[])[]>(
    (sofar, { plan }) => sofar.flatMap((prefix) => plan.map((_, index) => [...prefix, index])),
    [[]],
  );
  for (const choice of choices) {
    const chosen = passed.map(({ id, optional, plan }, index) => {
      const [provides, requires] = plan[choice[index]!]!;
      return { id, provides, requires, free: optional && choice[index] === plan.length - 1 };
    });
    const subsets = Array.from({ length: 2 ** chosen.length }, (_, bits) => chosen.filter((_, i) => bits & (1 << i)));
    const fits = subsets
      .filter((subset) => chosen.every((one) => one.free || subset.includes(one)))
      .filter((subset) => subset.length > 0 && subset.every((one, at) => stands(one, { subset, at })))
      .sort((a, b) => b.length - a.length);
    if (fits[0] !== undefined) return fits[0].map(({ id }) => id);
  }
  return undefined;
}

type Chosen = { readonly id: string; readonly provides: readonly string[]; readonly requires: readonly string[] };

const stands = (one: Chosen, { subset, at }: { subset: readonly Chosen[]; at: number }): boolean =>
  one.requires.every((name) => subset.slice(0, at + 1).some(({ provides }) => provides.includes(name))) &&
  one.provides.every((name) => subset.slice(at).some(({ requires }) => requires.includes(name)));

const ids = (result: Resolution): readonly string[] | undefined =>
  result.kind === 'found' ? result.elements.map(({ id }) => id) : undefined;

test('any group: the elements are those that the specification leaves in, each requirement is in the plan with its providers', () => {
  fc.assert(
    fc.property(fc.array(drawn, { maxLength: 4 }), (all) => {
      const result = resolveGroup(candidates(all), new DetectLog());
      assert.deepEqual(ids(result), reference(all));
      if (result.kind === 'found') checkPlan(result.plan, ids(result)!);
    }),
    { numRuns: 400 },
  );
});

function checkPlan(plan: readonly PlanEntry[], group: readonly string[]): void {
  assert.equal(new Set(plan.map(({ requires }) => requires[0]?.name)).size, plan.length, 'one entry for each name');
  for (const { providers, requires } of plan) {
    assert.ok(providers.length > 0 && requires.length > 0);
    assert.equal(new Set(requires.map(({ name }) => name)).size, 1);
    const at = (id: unknown): number => group.indexOf(String(id));
    const first = Math.min(...providers.map(({ id }) => at(id)));
    for (const { metadata } of requires) assert.ok(first >= 0 && at(metadata['by']) >= first);
  }
}
