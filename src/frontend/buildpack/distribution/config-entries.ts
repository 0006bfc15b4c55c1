import type { GroupEntry, ModuleKind, Order, Target } from '../model/types.ts';
import type { StrictTable } from './strict-toml.ts';

/** `[[targets]]` of a file in which every key must be known. */
export function strictTargets(table: StrictTable): readonly Target[] {
  return table.tables('targets').map((one) => ({
    os: one.string('os') ?? '',
    arch: one.string('arch') ?? '',
    variant: one.string('variant') ?? '',
    distros: one
      .tables('distros')
      .map((distro) => ({ name: distro.string('name') ?? '', version: distro.string('version') ?? '' })),
  }));
}

/** `[[order]]` with `[[order.group]]`. An entry may be without a version: it is empty then. */
export function strictOrder(table: StrictTable, o: { key: string; kind: ModuleKind }): Order {
  return table.tables(o.key).map((one) => one.tables('group').map((entry) => strictEntry(entry, o.kind)));
}

export function strictEntry(entry: StrictTable, kind: ModuleKind): GroupEntry {
  const id = entry.string('id') ?? '';
  if (id === '') throw entry.invalid('id', 'an entry of an order has no "id"');
  // What a descriptor may say of a module, a reference to it may repeat.
  for (const key of ['name', 'description', 'homepage']) entry.string(key);
  return {
    kind,
    id,
    version: entry.string('version') ?? '',
    optional: kind === 'buildpack' && (entry.boolean('optional') ?? false),
    execEnv: entry.strings('exec-env'),
  };
}
