import { buildpackError } from '../errors.ts';
import type { Group, GroupEntry, ModuleKind, Order, SystemBuildpacks } from '../model/types.ts';

type Known = readonly { readonly kind: ModuleKind; readonly id: string; readonly version: string }[];

/** An order with the version of each entry, that of the only one there is where none is said. Throws `CNB_MODULE_MISSING`. */
export function resolveOrder(order: Order, modules: Known): Order {
  return order.map((group) => resolveGroup(group, modules));
}

export function resolveSystem(system: SystemBuildpacks, modules: Known): SystemBuildpacks {
  return { pre: resolveGroup(system.pre, modules), post: resolveGroup(system.post, modules) };
}

function resolveGroup(group: Group, modules: Known): Group {
  return group.map((entry) => resolveEntry(entry, modules));
}

function resolveEntry(entry: GroupEntry, modules: Known): GroupEntry {
  const { kind, id, version } = entry;
  const versions = [
    ...new Set(modules.filter((one) => one.kind === kind && one.id === id).map((one) => one.version)),
  ].toSorted();
  const [only = ''] = versions;
  const fail = (detail: string, remedy?: string): Error =>
    buildpackError('CNB_MODULE_MISSING', `make order: ${detail}`, { remedy });
  if (versions.length === 0) throw fail(`no versions of ${kind} "${id}" were found on the builder`);
  if (version === '' && versions.length > 1)
    throw fail(`several versions of ${kind} "${id}" are on the builder: ${versions.join(', ')}`, 'Write which one.');
  if (version !== '' && !versions.includes(version))
    throw fail(
      `${kind} "${id}" with version "${version}" was not found on the builder`,
      `There is ${versions.join(', ')}.`,
    );
  return { ...entry, version: version === '' ? only : version };
}
