import type { Wait } from '../../../base/index.ts';
import { append, configOf, withConfig, type Addition, type Image, type ImageConfig } from '../../../image/index.ts';
import { composeTree, type ComposeItem } from '../../../tree/index.ts';
import { buildpackError } from '../errors.ts';
import { encodeOrder, encodeRunToml, encodeStackToml, encodeSystem, LABELS, moduleFolder } from '../model/index.ts';
import { textOf } from '../model/loose.ts';
import type { ModuleDescriptor, ModuleKind, Order, RunImage, SystemBuildpacks } from '../model/types.ts';
import { checkOnBuilder } from './check-on-builder.ts';
import { flattened } from './flatten.ts';
import {
  asObject,
  encodeModuleLayers,
  labelJson,
  layersLabel,
  moduleInfo,
  moduleName,
  objectOf,
  orderJson,
  parseModuleLayers,
  systemJson,
  type LabelledModule,
  type Labels,
} from './labels.ts';
import { lifecycleJson, type Lifecycle } from './lifecycle-source.ts';
import { CREATED } from './make-package.ts';
import { folderAt, sortedModules, type Module } from './module.ts';
import { resolveOrder, resolveSystem } from './resolve-order.ts';
import { layerOfTree, type Workshop } from './workshop.ts';

/** What a builder is put together from. */
export interface BuilderParts {
  /** The build image: what its programs run in. It must set CNB_USER_ID and CNB_GROUP_ID. */
  readonly base: Image;
  /** Of messages. */
  readonly baseName: string;
  readonly description: string;
  /** In the order of builder.toml, a composite before its members; of two of one id and version the last is taken. */
  readonly modules: readonly Module[];
  /** Entries may be without version where there is one only. */
  readonly order: Order;
  readonly orderExtensions: Order;
  readonly system: SystemBuildpacks;
  /** The first is the default. */
  readonly runImages: readonly RunImage[];
  /** The stack that was asked for. */
  readonly stackId?: string | undefined;
  readonly lifecycle: Lifecycle;
  /** Files of `/cnb/build-config/env`. */
  readonly buildEnv: ReadonlyMap<string, string>;
  /** Groups of `id@version` that go into one layer each. */
  readonly flatten: readonly (readonly string[])[];
  readonly labels: Readonly<Record<string, string>>;
  readonly createdBy: { readonly name: string; readonly version: string };
}

/**
 * A builder (platform.md, Builders; pack internal/builder): the build image with layers for folders, lifecycle, each buildpack and extension, and the files of its orders and run images. Layers are moved, nothing is run.
 * Throws `CNB_PACKAGE_INVALID` for what does not go together, `CNB_MODULE_MISSING`, `CNB_LABEL_INVALID`.
 */
export async function makeBuilder(
  parts: BuilderParts,
  o: { shop: Workshop; warn: (text: string) => void } & Wait,
): Promise<Image> {
  const config = await configOf(parts.base, o);
  const labels = config.config?.Labels ?? {};
  const owner = builderUser(config, parts.baseName);
  warnOfUser(config, { ...owner, ...o, name: parts.baseName });
  const stackId = labels[LABELS.stackId];
  if (parts.stackId !== undefined && stackId !== parts.stackId)
    throw buildpackError(
      'CNB_PACKAGE_INVALID',
      `make builder: stack "${parts.stackId}" is incompatible with stack "${stackId ?? ''}" of the build image "${parts.baseName}"`,
    );
  const known = knownModules(labels);
  const buildpacks = await placed('buildpack', parts, { ...o, labels });
  const extensions = await placed('extension', parts, { ...o, labels });
  const described = (kind: ModuleKind, more: readonly Module[]): readonly ModuleDescriptor[] => {
    const all = [...known.filter((one) => one.kind === kind), ...more.map(({ descriptor }) => descriptor)];
    return [...new Map(all.map((one) => [moduleName(one), one])).values()];
  };
  const listed = (kind: ModuleKind): readonly ModuleDescriptor[] =>
    described(
      kind,
      parts.modules.filter(({ descriptor }) => descriptor.kind === kind),
    );
  const all = [...listed('buildpack'), ...listed('extension')];
  checkOnBuilder(parts, { config, labels, all });
  const order = resolveOrder(parts.order, all);
  const orderExtensions = resolveOrder(parts.orderExtensions, all);
  const system = resolveSystem(parts.system, all);
  const hasSystem = system.pre.length + system.post.length > 0;
  const file = (path: string, text: string): Addition =>
    addition(`Builder file: /${path}`, filesLayer({ [path]: text }, o));
  const [defaultRun] = parts.runImages;
  const additions: readonly Addition[] = [
    addition(
      'Builder folders',
      layerOfTree(async () => composeTree(folders(owner)), o),
    ),
    addition(
      `Lifecycle ${parts.lifecycle.version}`,
      layerOfTree(async () => parts.lifecycle.tree, o),
    ),
    ...buildpacks.additions,
    ...extensions.additions,
    file('cnb/order.toml', encodeOrder({ order, extensions: orderExtensions })),
    ...(hasSystem ? [file('cnb/system.toml', encodeSystem(system))] : []),
    file('cnb/stack.toml', defaultRun ? encodeStackToml(defaultRun) : ''),
    file('cnb/run.toml', encodeRunToml(parts.runImages)),
    ...(parts.buildEnv.size > 0
      ? [
          addition(
            'Build configuration',
            filesLayer(
              Object.fromEntries([...parts.buildEnv].map(([name, value]) => [`cnb/build-config/env/${name}`, value])),
              o,
            ),
          ),
        ]
      : []),
    addition('Platform environment', filesLayer({}, o)),
  ];
  const infos = (kind: ModuleKind): unknown => {
    const list = listed(kind).map((one) => moduleInfo(one));
    return list.length === 0 ? null : list;
  };
  const runImages = parts.runImages.map(({ image, mirrors }) => ({
    image,
    mirrors: mirrors.length === 0 ? null : mirrors,
  }));
  const metadata = {
    description: parts.description,
    buildpacks: infos('buildpack'),
    extensions: infos('extension'),
    stack: { runImage: runImages[0] ?? { image: '', mirrors: null } },
    lifecycle: lifecycleJson(parts.lifecycle),
    createdBy: parts.createdBy,
    images: runImages,
  };
  const listOrNull = (list: readonly unknown[]): readonly unknown[] | null => (list.length === 0 ? null : list);
  return withConfig(append(parts.base, ...additions), (before) => ({
    ...before,
    created: CREATED,
    config: {
      ...before.config,
      WorkingDir: '/layers',
      Labels: {
        ...labels,
        ...parts.labels,
        // So that it can stand for a lifecycle image, too (pack --lifecycle-image).
        ...(parts.lifecycle.phases
          ? {
              [LABELS.lifecycleVersion]: parts.lifecycle.version,
              [LABELS.lifecycleApis]: labelJson(parts.lifecycle.apis),
            }
          : {}),
        [LABELS.buildpackLayers]: encodeModuleLayers(buildpacks.labelled),
        [LABELS.extensionLayers]: encodeModuleLayers(extensions.labelled),
        [LABELS.buildpackOrder]: labelJson(listOrNull(orderJson(parts.order))),
        [LABELS.extensionOrder]: labelJson(listOrNull(orderJson(parts.orderExtensions))),
        ...(hasSystem ? { [LABELS.systemBuildpacks]: labelJson(systemJson(parts.system)) } : {}),
        [LABELS.builderMetadata]: labelJson(metadata),
      },
    },
  }));
}

/** CNB_USER_ID and CNB_GROUP_ID of a build or builder image. Throws `CNB_PACKAGE_INVALID` where they are not said, or no numbers. */
export function builderUser(config: ImageConfig, name: string): { readonly uid: number; readonly gid: number } {
  const id = (key: string): number => {
    const value = config.config?.Env?.findLast((line) => line.startsWith(`${key}=`))?.slice(key.length + 1);
    if (value !== undefined && /^\d+$/.test(value)) return Number(value);
    throw buildpackError(
      'CNB_PACKAGE_INVALID',
      `use build image "${name}": ${value === undefined ? `it does not set ${key}` : `its ${key} is "${value}", which is no number`}`,
      { remedy: 'Take an image that is made for building with buildpacks.' },
    );
  };
  return { uid: id('CNB_USER_ID'), gid: id('CNB_GROUP_ID') };
}

/** The user that steps run as is the image's, and must be the one that its environment names. */
function warnOfUser(config: ImageConfig, o: { uid: number; name: string; warn: (text: string) => void }): void {
  const user = (config.config?.User ?? '').split(':')[0] ?? '';
  if (o.uid === 0) o.warn(`build image "${o.name}" has CNB_USER_ID=0: buildpacks are not run as root`);
  else if (user === '' || user === 'root' || user === '0')
    o.warn(`build image "${o.name}" runs as root, its CNB_USER_ID is ${o.uid}`);
  else if (/^\d+$/.test(user) && Number(user) !== o.uid)
    throw buildpackError(
      'CNB_PACKAGE_INVALID',
      `use build image "${o.name}": it runs as user ${user}, but its CNB_USER_ID is ${o.uid}`,
    );
}

/** What a build image that is a builder already has. */
function knownModules(labels: Labels): readonly ModuleDescriptor[] {
  const text = labels[LABELS.builderMetadata];
  const list = (key: string): readonly unknown[] => {
    const found = text === undefined ? undefined : objectOf(text, LABELS.builderMetadata)[key];
    return Array.isArray(found) ? found : [];
  };
  const layered = (kind: ModuleKind): readonly ModuleDescriptor[] =>
    parseModuleLayers(labels[layersLabel(kind)], kind).map(({ descriptor }) => descriptor);
  return (['buildpack', 'extension'] as const).flatMap((kind) => {
    const full = new Map(layered(kind).map((one) => [moduleName(one), one]));
    return list(`${kind}s`).flatMap((one) => {
      const { id, version } = asObject(one, LABELS.builderMetadata);
      return full.get(moduleName({ id: textOf(id), version: textOf(version) })) ?? [];
    });
  });
}

/** The layers of all modules of a kind: groups first, then each by its name, a whiteout before one that takes the place of another; and what the label of layers says then. */
async function placed(
  kind: ModuleKind,
  parts: BuilderParts,
  o: { shop: Workshop; labels: Labels; warn: (text: string) => void } & Wait,
): Promise<{ readonly additions: readonly Addition[]; readonly labelled: readonly LabelledModule[] }> {
  const given = parts.modules.filter(({ descriptor }) => descriptor.kind === kind);
  const last = new Map<string, Module>();
  const superseded: Module[] = [];
  for (const module of given) {
    const name = moduleName(module.descriptor);
    const before = last.get(name);
    last.set(name, module);
    if (!before || (await before.layer.diffId(o)) === (await module.layer.diffId(o))) continue;
    superseded.push(before);
    o.warn(`${kind} "${name}" is given twice with other contents: the last one is taken`);
  }
  const modules = sortedModules([...last.values()]);
  const names = new Set(modules.map(({ descriptor }) => moduleName(descriptor)));
  const groups = parts.flatten.map((group) => group.filter((name) => names.has(name)));
  // A layer that also has what another took the place of is taken apart.
  const stale = new Set<string>();
  for (const { layer } of superseded) stale.add(await layer.diffId(o));
  const apart: string[][] = [];
  for (const { descriptor, layer } of modules)
    if (stale.has(await layer.diffId(o))) apart.push([moduleName(descriptor)]);
  const final = await flattened(modules, [...groups, ...apart], o);
  const inGroup = new Set(groups.flat());
  const ordered = [
    ...final.filter(({ descriptor }) => inGroup.has(moduleName(descriptor))),
    ...final.filter(({ descriptor }) => !inGroup.has(moduleName(descriptor))),
  ];
  const existing = new Map(
    parseModuleLayers(o.labels[layersLabel(kind)], kind).map((one) => [moduleName(one.descriptor), one]),
  );
  const additions: Addition[] = [];
  const added = new Set<string>();
  const labelled = new Map<string, LabelledModule>(existing);
  for (const { descriptor, layer } of ordered) {
    const name = moduleName(descriptor);
    const diffId = await layer.diffId(o);
    const before = existing.get(name);
    labelled.set(name, { descriptor, diffId });
    if (before?.diffId === diffId || added.has(diffId)) continue;
    if (before)
      additions.push(addition(`Removed ${kind}: ${name}`, whiteoutLayer(moduleFolder(descriptor).slice(1), o)));
    added.add(diffId);
    const title = descriptor.kind === 'extension' ? 'Extension' : 'Buildpack';
    additions.push(addition(`${title}: ${name}`, layer));
  }
  return { additions, labelled: [...labelled.values()] };
}

function addition(createdBy: string, layer: Addition['layer']): Addition {
  return { layer, history: { created: CREATED, created_by: createdBy } };
}

function folders(owner: { uid: number; gid: number }): readonly ComposeItem[] {
  const own = ['layers', 'workspace'].map((path) => ({ entry: folderAt(path, owner) }));
  const roots = [
    'cnb',
    'cnb/build-config',
    'cnb/build-config/env',
    'cnb/buildpacks',
    'cnb/extensions',
    'platform',
    'platform/env',
  ];
  return [...own, ...roots.map((path) => ({ entry: folderAt(path) }))];
}

/** Files of root's, 0644, and nothing else. */
function filesLayer(files: Readonly<Record<string, string>>, o: { shop: Workshop }): Addition['layer'] {
  return layerOfTree(
    async () =>
      composeTree(
        Object.entries(files).map(([path, text]) => {
          const content = Buffer.from(text);
          return {
            entry: { path, type: 'file', mode: 0o644, uid: 0, gid: 0, size: content.length, mtime: 0, mtimeNs: 0 },
            from: { content },
          };
        }),
      ),
    o,
  );
}

/** A layer in which a folder of those below is gone. */
function whiteoutLayer(path: string, o: { shop: Workshop }): Addition['layer'] {
  return layerOfTree(
    async () =>
      composeTree([{ entry: { path, type: 'whiteout', mode: 0, uid: 0, gid: 0, size: 0, mtime: 0, mtimeNs: 0 } }]),
    { ...o, dialect: 'oci' },
  );
}
