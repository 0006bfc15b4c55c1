import { buildpackError } from '../errors.ts';
import { LABELS } from '../model/index.ts';
import { textOf } from '../model/loose.ts';
import type { GroupEntry, ModuleDescriptor, ModuleKind, Order, SystemBuildpacks, Target } from '../model/types.ts';

/** `io.buildpacks.buildpack.layers` or `io.buildpacks.extension.layers`. */
export function layersLabel(kind: ModuleKind): string {
  return kind === 'extension' ? LABELS.extensionLayers : LABELS.buildpackLayers;
}

export type Labels = Readonly<Record<string, string>>;

/** What a label says of a module, and the layer that it is in. */
export interface LabelledModule {
  readonly descriptor: ModuleDescriptor;
  /** Several modules may share one. */
  readonly diffId: string;
}

/** A label's JSON as Go writes it. */
export function labelJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** `{ id: { version: {…, layerDiffID } } }`, sorted. */
export function encodeModuleLayers(modules: readonly LabelledModule[]): string {
  const byId = Map.groupBy(modules, ({ descriptor }) => descriptor.id);
  const sorted = <T>(map: Iterable<readonly [string, T]>): Record<string, T> =>
    Object.fromEntries([...map].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return labelJson(
    sorted(
      [...byId].map(([id, same]) => [
        id,
        sorted(same.map(({ descriptor, diffId }) => [descriptor.version, layerInfo(descriptor, diffId)])),
      ]),
    ),
  );
}

function layerInfo(descriptor: ModuleDescriptor, diffId: string): unknown {
  const { api, stacks, targets, order, homepage, name } = descriptor;
  return {
    api,
    stacks: orAbsent(stacks.map((stack) => stackJson(stack))),
    targets: orAbsent(targets.map((target) => targetJson(target))),
    order: orAbsent(orderJson(order)),
    layerDiffID: diffId,
    homepage: homepage === '' ? undefined : homepage,
    name: name === '' ? undefined : name,
  };
}

/** What a label of layers holds, sorted by id and version. Throws `CNB_LABEL_INVALID`. */
export function parseModuleLayers(text: string | undefined, kind: ModuleKind): readonly LabelledModule[] {
  if (text === undefined || text === '') return [];
  const label = layersLabel(kind);
  return Object.entries(objectOf(text, label))
    .flatMap(([id, versions]) =>
      Object.entries(asObject(versions, label)).map(([version, info]) => {
        const { api, layerDiffID, ...rest } = asObject(info, label);
        if (typeof layerDiffID !== 'string')
          throw buildpackError('CNB_LABEL_INVALID', `read label "${label}": "${id}@${version}" names no layer`);
        return { descriptor: describedModule({ ...rest, kind, id, version, api }, label), diffId: layerDiffID };
      }),
    )
    .toSorted((a, b) => (moduleName(a.descriptor) < moduleName(b.descriptor) ? -1 : 1));
}

/** The label of a package: what its main module says of itself, and the stacks that all of it can be used on. */
export function encodePackageMetadata(
  descriptor: ModuleDescriptor,
  stacks: ModuleDescriptor['stacks'] | undefined,
): string {
  return labelJson({ ...moduleInfo(descriptor), stacks: stacks?.map((stack) => stackJson(stack)) ?? null });
}

/** What pack calls a module's info, members that say nothing left out. */
export function moduleInfo(descriptor: ModuleDescriptor): Record<string, unknown> {
  const { id, name, version, description, homepage, keywords, execEnv, licenses, clearEnv } = descriptor;
  return present({
    id,
    name,
    version,
    description,
    homepage,
    keywords: orAbsent(keywords),
    'exec-env': orAbsent(execEnv),
    licenses: orAbsent(licenses.map(({ type, uri }) => ({ type: type ?? '', uri: uri ?? '' }))),
    'clear-env': clearEnv ? true : undefined,
  });
}

/** A module of which only some is known. */
export function describedModule(value: Readonly<Record<string, unknown>>, label: string): ModuleDescriptor {
  const text = (key: string): string | undefined => {
    const found = value[key];
    return typeof found === 'string' && found !== '' ? found : undefined;
  };
  const list = (key: string): readonly unknown[] => {
    const found = value[key];
    return Array.isArray(found) ? found : [];
  };
  const strings = (key: string): readonly string[] => list(key).filter((one) => typeof one === 'string');
  return {
    kind: value['kind'] === 'extension' ? 'extension' : 'buildpack',
    id: text('id') ?? '',
    version: text('version') ?? '',
    api: text('api') ?? '',
    name: text('name'),
    homepage: text('homepage'),
    description: text('description'),
    keywords: strings('keywords'),
    licenses: list('licenses').map((one) => {
      const { type, uri } = asObject(one, label) as { type?: string; uri?: string };
      return { type, uri };
    }),
    clearEnv: value['clear-env'] === true,
    sbomFormats: [],
    execEnv: strings('exec-env'),
    order: readOrder(list('order'), { label }),
    targets: list('targets').map((one) => parseTargetJson(asObject(one, label), label)),
    stacks: list('stacks').map((one) => {
      const { id, mixins } = asObject(one, label);
      return { id: textOf(id), mixins: Array.isArray(mixins) ? mixins.map(String) : [] };
    }),
    metadata: {},
  };
}

/** The label of a package as a module; its stacks are those of the whole package. Throws `CNB_LABEL_INVALID`. */
export function parsePackageMetadata(text: string, kind: ModuleKind): ModuleDescriptor {
  return describedModule({ ...objectOf(text, LABELS.buildpackageMetadata), kind }, LABELS.buildpackageMetadata);
}

export function orderJson(order: Order): readonly { group: readonly unknown[] }[] {
  return order.map((group) => ({ group: group.map((entry) => entryJson(entry)) }));
}

export function entryJson({ id, version, optional, execEnv }: GroupEntry): unknown {
  return present({
    id,
    version: version === '' ? undefined : version,
    'exec-env': orAbsent(execEnv),
    optional: optional ? true : undefined,
  });
}

/** `[{ "group": [{ "id", "version", "optional" }] }]`. */
export function readOrder(value: readonly unknown[], o: { label: string; kind?: ModuleKind | undefined }): Order {
  return value.map((one) => {
    const { group } = asObject(one, o.label);
    return Array.isArray(group) ? group.map((entry) => parseEntry(asObject(entry, o.label), o.kind)) : [];
  });
}

export function parseOrderLabel(text: string | undefined, label: string): Order {
  if (text === undefined || text === '') return [];
  const value = jsonOf(text, label);
  if (value === null) return [];
  if (!Array.isArray(value)) throw buildpackError('CNB_LABEL_INVALID', `read label "${label}": it is no list`);
  return readOrder(value, { label, kind: label === LABELS.extensionOrder ? 'extension' : 'buildpack' });
}

export function systemJson({ pre, post }: SystemBuildpacks): unknown {
  const side = (group: readonly GroupEntry[]): unknown =>
    group.length === 0 ? {} : { buildpacks: group.map((entry) => entryJson(entry)) };
  return { pre: side(pre), post: side(post) };
}

export function parseSystemLabel(text: string | undefined): SystemBuildpacks {
  if (text === undefined || text === '') return { pre: [], post: [] };
  const value = objectOf(text, LABELS.systemBuildpacks);
  const side = (key: string): readonly GroupEntry[] => {
    if (value[key] === undefined || value[key] === null) return [];
    const { buildpacks } = asObject(value[key], LABELS.systemBuildpacks);
    return Array.isArray(buildpacks) ? buildpacks.map((one) => parseEntry(asObject(one, LABELS.systemBuildpacks))) : [];
  };
  return { pre: side('pre'), post: side('post') };
}

export function moduleName({ id, version }: { readonly id: string; readonly version: string }): string {
  return version === '' ? id : `${id}@${version}`;
}

/** The JSON object that a label holds. Throws `CNB_LABEL_INVALID`. */
export function objectOf(text: string, label: string): Readonly<Record<string, unknown>> {
  return asObject(jsonOf(text, label), label);
}

export function asObject(value: unknown, label: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw buildpackError('CNB_LABEL_INVALID', `read label "${label}": ${JSON.stringify(value)} is no object`);
}

function jsonOf(text: string, label: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw buildpackError('CNB_LABEL_INVALID', `read label "${label}": it is no JSON`, { cause: error });
  }
}

function parseEntry(value: Readonly<Record<string, unknown>>, kind: ModuleKind = 'buildpack'): GroupEntry {
  const { id, version, optional, 'exec-env': execEnv } = value;
  return {
    kind,
    id: typeof id === 'string' ? id : '',
    version: typeof version === 'string' ? version : '',
    optional: optional === true,
    execEnv: Array.isArray(execEnv) ? execEnv.map(String) : [],
  };
}

function stackJson({ id, mixins }: { readonly id: string; readonly mixins: readonly string[] }): unknown {
  return present({ id, mixins: orAbsent(mixins) });
}

function targetJson({ os, arch, variant, distros }: Target): unknown {
  return present({
    os,
    arch,
    variant: variant === '' ? undefined : variant,
    distros: orAbsent(
      distros.map(({ name, version }) =>
        present({ name: name === '' ? undefined : name, version: version === '' ? undefined : version }),
      ),
    ),
  });
}

function parseTargetJson(value: Readonly<Record<string, unknown>>, label: string): Target {
  const text = (one: unknown): string => (typeof one === 'string' ? one : '');
  const { os, arch, variant, distros } = value;
  return {
    os: text(os),
    arch: text(arch),
    variant: text(variant),
    distros: Array.isArray(distros)
      ? distros.map((one) => {
          const { name, version } = asObject(one, label);
          return { name: text(name), version: text(version) };
        })
      : [],
  };
}

function orAbsent<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

/** Without members that are undefined. */
function present(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined));
}
