import { encodeToml } from '../../../base/index.ts';
import { parseApi } from './api.ts';
import { readExecEnv } from './exec-env.ts';
import { foreignVersionProblem, idProblem } from './ids.ts';
import { readGroup } from './order.ts';
import { sortedTable } from './sorted-table.ts';
import { TomlTable } from './toml-table.ts';
import type { ModuleDescriptor, ModuleKind, Target } from './types.ts';

/** buildpack.toml or extension.toml (buildpack.md, image-extension.md). Throws CNB_FILE_INVALID with the place, INVALID_TOML. */
export function parseModuleDescriptor(text: string, o: { kind: ModuleKind; file: string }): ModuleDescriptor {
  const top = TomlTable.parse(text, o.file);
  const info = top.table(o.kind);
  if (!top.has(o.kind)) throw top.fail(o.kind, 'is missing');
  const id = info.need('id');
  const wrongId = idProblem(id);
  if (wrongId !== undefined) throw info.fail('id', `is "${id}": ${wrongId}`);
  const version = info.need('version');
  const wrongVersion = foreignVersionProblem(version);
  if (wrongVersion !== undefined) throw info.fail('version', `is "${version}": ${wrongVersion}`);
  const api = parseApi(top.need('api'));
  if (api === undefined) throw top.fail('api', `is "${top.text('api')}", which is no version`);
  const order = top.tables('order').map((group) => readGroup(group, { kind: 'buildpack', versionless: true }));
  if (o.kind === 'extension' && order.length > 0) throw top.fail('order', 'may not be in an extension');
  return {
    kind: o.kind,
    id,
    version,
    api,
    name: info.text('name'),
    homepage: info.text('homepage'),
    description: info.text('description'),
    keywords: info.list('keywords'),
    licenses: info.tables('licenses').map((license) => ({ type: license.text('type'), uri: license.text('uri') })),
    clearEnv: info.flag('clear-env'),
    sbomFormats: info.list('sbom-formats'),
    execEnv: readExecEnv(info),
    order,
    targets: top.tables('targets').map(readTarget),
    stacks: top.tables('stacks').map((stack) => ({ id: stack.need('id'), mixins: stack.list('mixins') })),
    metadata: top.free('metadata'),
  };
}

/** A module's descriptor as a file, in the specification's shape. */
export function encodeModuleDescriptor(module: ModuleDescriptor): string {
  return encodeToml({
    api: module.api,
    [module.kind]: {
      id: module.id,
      name: module.name,
      version: module.version,
      homepage: module.homepage,
      'clear-env': module.clearEnv || undefined,
      description: module.description,
      keywords: some(module.keywords),
      'sbom-formats': some(module.sbomFormats),
      licenses: some(module.licenses),
      'exec-env': some(module.execEnv),
    },
    order: some(
      module.order.map((group) => ({
        group: group.map(({ id, version, optional, execEnv }) => ({
          id,
          version,
          optional: optional || undefined,
          'exec-env': some(execEnv),
        })),
      })),
    ),
    targets: some(module.targets.map(targetTable)),
    stacks: some(module.stacks.map(({ id, mixins }) => ({ id, mixins: some(mixins) }))),
    metadata: Object.keys(module.metadata).length === 0 ? undefined : sortedTable(module.metadata),
  });
}

/** `[[targets]]`, as builders, packages and modules have them. `arch-variant` is what the lifecycle calls `variant`. */
export function readTarget(table: TomlTable): Target {
  return {
    os: table.text('os') ?? '',
    arch: table.text('arch') ?? '',
    variant: table.text('variant') ?? table.text('arch-variant') ?? '',
    distros: table.tables('distros').map((distro) => ({
      name: distro.text('name') ?? '',
      version: distro.text('version') ?? '',
    })),
  };
}

export function targetTable(target: Target): Record<string, unknown> {
  return {
    os: target.os || undefined,
    arch: target.arch || undefined,
    variant: target.variant || undefined,
    distros: some(
      target.distros.map(({ name, version }) => ({ name: name || undefined, version: version || undefined })),
    ),
  };
}

const some = <T>(list: readonly T[]): readonly T[] | undefined => (list.length === 0 ? undefined : list);
