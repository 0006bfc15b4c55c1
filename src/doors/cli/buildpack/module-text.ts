import {
  moduleInfo,
  type GroupEntry,
  type ModuleDescriptor,
  type OrderNode,
  type ModulePackage,
} from '../../../frontend/buildpack/index.ts';
import { tableText } from '../print/table.ts';
import type { Style } from '../print/style.ts';

/** The table of modules: id, name, version, homepage. */
export function modulesText(modules: readonly ModuleDescriptor[], o: { style: Style }): string {
  const rows = modules.map(({ id, name, version, homepage }) => [id, name ?? '-', version, homepage ?? '-']);
  return indented(
    tableText([{ title: 'ID' }, { title: 'NAME' }, { title: 'VERSION' }, { title: 'HOMEPAGE' }], rows, o),
  );
}

/** An order as a tree, as pack draws it. */
export function orderText(groups: readonly (readonly OrderNode[])[], prefix = ' '): string {
  return groups
    .map((group, at) => {
      const last = at === groups.length - 1;
      const below = `${prefix}${last ? '   ' : '│  '}`;
      return `${prefix}${last ? '└' : '├'} Group #${at + 1}:\n${entriesText(group, below)}`;
    })
    .join('');
}

function entriesText(entries: readonly OrderNode[], prefix: string): string {
  return entries
    .map((entry, at) => {
      const last = at === entries.length - 1;
      const name = entry.version === '' ? entry.id : `${entry.id}@${entry.version}`;
      const notes = [...(entry.optional ? ['optional'] : []), ...(entry.cyclic ? ['cyclic'] : [])];
      const line = `${prefix}${last ? '└' : '├'} ${name}${notes.length > 0 ? ` (${notes.join(', ')})` : ''}\n`;
      return line + orderText(entry.groups, `${prefix}${last ? '   ' : '│  '}`);
    })
    .join('');
}

/** An order for programs, in pack's shape. */
export function orderData(groups: readonly (readonly OrderNode[])[]): readonly unknown[] {
  return groups.map((group) => ({
    buildpacks: group.map((entry) => ({
      ...entryData(entry),
      cyclic: entry.cyclic ? true : undefined,
      buildpacks: entry.groups.length > 0 ? orderData(entry.groups) : undefined,
    })),
  }));
}

function entryData({ id, version, optional }: GroupEntry): Record<string, unknown> {
  return { id, version: version === '' ? undefined : version, optional: optional ? true : undefined };
}

/** A package for programs. */
export function packageData(
  { main, others }: ModulePackage,
  order: readonly (readonly OrderNode[])[],
): Record<string, unknown> {
  const all = [main, ...others].map(({ descriptor }) => descriptor);
  return {
    ...moduleInfo(main.descriptor),
    api: main.descriptor.api,
    targets: main.descriptor.targets.length > 0 ? main.descriptor.targets : undefined,
    stacks: main.descriptor.stacks.length > 0 ? main.descriptor.stacks : undefined,
    [`${main.descriptor.kind}s`]: all.map((one) => ({ ...moduleInfo(one), api: one.api })),
    detection_order: main.descriptor.order.length > 0 ? orderData(order) : undefined,
  };
}

export function indented(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ');
}
