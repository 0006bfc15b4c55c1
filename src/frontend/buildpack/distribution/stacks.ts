import { buildpackError } from '../errors.ts';
import type { ModuleDescriptor } from '../model/types.ts';
import { moduleName } from './labels.ts';

export type Stack = ModuleDescriptor['stacks'][number];

const ANY = '*';

/** The stacks on which all of these modules work; `*` goes with every one. A module of targets alone works on any, a composite is not asked (pack buildpack.resolvedStacks). */
export function commonStacks(modules: readonly ModuleDescriptor[]): readonly Stack[] {
  let common: readonly Stack[] | undefined;
  for (const module of modules) {
    if (module.stacks.length === 0 && module.order.length > 0) continue;
    const own = module.stacks.length === 0 ? [{ id: ANY, mixins: [] }] : module.stacks;
    common = common === undefined ? own : bothOf(common, own);
  }
  return common ?? [];
}

function bothOf(a: readonly Stack[], b: readonly Stack[]): readonly Stack[] {
  const isAny = (stacks: readonly Stack[]): boolean => stacks.some(({ id }) => id === ANY);
  if (isAny(a)) return isAny(b) ? [{ id: ANY, mixins: [] }] : b;
  if (isAny(b)) return a;
  return b.flatMap(({ id, mixins }) => {
    const other = a.find((stack) => stack.id === id);
    return other ? [{ id, mixins: [...new Set([...other.mixins, ...mixins])].toSorted() }] : [];
  });
}

/**
 * Looks whether a composite and what came with it fit together: what an order names is there, with a version; nothing is there that no order names; all work on some stack. Throws `CNB_PACKAGE_INVALID`.
 */
export function checkTogether(main: ModuleDescriptor, others: readonly ModuleDescriptor[]): readonly Stack[] {
  const used = new Set<string>();
  const there = new Set(others.map((other) => moduleName(other)));
  const fail = (detail: string, remedy?: string): Error =>
    buildpackError('CNB_PACKAGE_INVALID', `package ${main.kind} "${moduleName(main)}": ${detail}`, { remedy });
  for (const module of [main, ...others])
    for (const entry of module.order.flat()) {
      const name = moduleName(entry);
      if (entry.version === '')
        throw fail(
          `"${moduleName(module)}" names buildpack "${name}" without a version`,
          'Write which version it is, in the order.',
        );
      if (!there.has(name))
        throw fail(
          `"${moduleName(module)}" references buildpack "${name}" which is not present`,
          'Name it in [[dependencies]] of package.toml.',
        );
      used.add(name);
    }
  for (const name of there)
    if (!used.has(name))
      throw fail(`buildpack "${name}" is not used by it`, 'Take it out of [[dependencies]], or name it in the order.');
  const stacks = commonStacks([main, ...others]);
  // A composite whose parts are composites of nothing has no stack to speak of.
  if (stacks.length === 0) throw fail('no compatible stacks among provided buildpacks');
  return stacks;
}
