import { encodeToml } from '../../../base/index.ts';
import { readExecEnv } from './exec-env.ts';
import { TomlTable } from './toml-table.ts';
import type { Group, GroupEntry, ModuleKind, Order, SystemBuildpacks } from './types.ts';

/** order.toml. */
export interface Orders {
  readonly order: Order;
  /** Of extensions; all its entries are optional. */
  readonly extensions: Order;
}

/** order.toml (platform.md). Throws CNB_FILE_INVALID, INVALID_TOML. */
export function parseOrder(text: string, file: string): Orders {
  const top = TomlTable.parse(text, file);
  return {
    order: top.tables('order').map((group) => readGroup(group, { kind: 'buildpack' })),
    extensions: top.tables('order-extensions').map((group) => readGroup(group, { kind: 'extension' })),
  };
}

/** One `[[order]]`. `versionless`: an entry may be without a version (a builder resolves it); it is then an empty text. */
export function readGroup(table: TomlTable, o: { kind: ModuleKind; versionless?: boolean }): Group {
  return table.tables('group').map((entry) => readEntry(entry, o));
}

export function readEntry(entry: TomlTable, o: { kind: ModuleKind; versionless?: boolean }): GroupEntry {
  return {
    kind: o.kind,
    id: entry.need('id'),
    version: o.versionless ? (entry.text('version') ?? '') : entry.need('version'),
    optional: o.kind === 'extension' || entry.flag('optional'),
    execEnv: readExecEnv(entry),
  };
}

export function encodeOrder(orders: Orders): string {
  return encodeToml({
    order: orders.order.map((group) => ({ group: group.map(entryTable) })),
    'order-extensions':
      orders.extensions.length === 0
        ? undefined
        : orders.extensions.map((group) => ({ group: group.map(({ id, version }) => ({ id, version })) })),
  });
}

/** system.toml (platform.md). */
export function parseSystem(text: string, file: string): SystemBuildpacks {
  const system = TomlTable.parse(text, file).table('system');
  const side = (name: string): Group =>
    system
      .table(name)
      .tables('buildpacks')
      .map((entry) => readEntry(entry, { kind: 'buildpack' }));
  return { pre: side('pre'), post: side('post') };
}

export function encodeSystem(system: SystemBuildpacks): string {
  const side = (group: Group): Record<string, unknown> | undefined =>
    group.length === 0 ? undefined : { buildpacks: group.map(entryTable) };
  return encodeToml({ system: { pre: side(system.pre), post: side(system.post) } });
}

function entryTable(entry: GroupEntry): Record<string, unknown> {
  return {
    id: entry.id,
    version: entry.version || undefined,
    optional: entry.optional || undefined,
    'exec-env': entry.execEnv.length === 0 ? undefined : entry.execEnv,
  };
}
