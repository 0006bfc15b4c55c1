import type { Wait } from '../../../base/index.ts';
import { configOf, type Image } from '../../../image/index.ts';
import { buildpackError } from '../errors.ts';
import { LABELS, type LifecycleApis } from '../model/index.ts';
import type { GroupEntry, ModuleDescriptor, ModuleKind, Order, RunImage, SystemBuildpacks } from '../model/types.ts';
import {
  asObject,
  describedModule,
  layersLabel,
  moduleName,
  objectOf,
  parseModuleLayers,
  parseOrderLabel,
  parseSystemLabel,
} from './labels.ts';
import { lifecycleOfMetadata } from './lifecycle-source.ts';

/** What a builder says of itself. */
export interface BuilderFacts {
  readonly description: string;
  readonly createdBy: { readonly name: string; readonly version: string };
  readonly stack?: { readonly id: string; readonly mixins: readonly string[] } | undefined;
  readonly lifecycle?: { readonly version: string; readonly apis: LifecycleApis } | undefined;
  readonly runImages: readonly RunImage[];
  readonly buildpacks: readonly ModuleDescriptor[];
  readonly extensions: readonly ModuleDescriptor[];
  /** As builder.toml had it: versions may be missing. */
  readonly order: Order;
  readonly orderExtensions: Order;
  readonly system: SystemBuildpacks;
}

/** Reads the labels of a builder; no layer is looked at. Throws `CNB_MODULE_INVALID` for what is none, `CNB_LABEL_INVALID`. */
export async function builderFacts(image: Image, o: { what: string } & Wait): Promise<BuilderFacts> {
  const labels = (await configOf(image, o)).config?.Labels ?? {};
  const text = labels[LABELS.builderMetadata];
  if (text === undefined)
    throw buildpackError(
      'CNB_MODULE_INVALID',
      `read "${o.what}": it is no builder (it has no label ${LABELS.builderMetadata})`,
    );
  const metadata = objectOf(text, LABELS.builderMetadata);
  const created = metadata['createdBy'] as { name?: string; version?: string } | undefined;
  const runImage = (value: unknown): RunImage => {
    const { image: name, mirrors } = asObject(value, LABELS.builderMetadata);
    return {
      image: typeof name === 'string' ? name : '',
      mirrors: Array.isArray(mirrors) ? mirrors.map(String) : [],
    };
  };
  const { images, stack } = metadata as { images?: unknown; stack?: { runImage?: unknown } };
  const listed = Array.isArray(images) ? images.map((one) => runImage(one)) : [];
  const old = stack?.runImage === undefined ? [] : [runImage(stack.runImage)];
  const modules = (kind: ModuleKind): readonly ModuleDescriptor[] => {
    const list = metadata[`${kind}s`];
    const layered = new Map(
      parseModuleLayers(labels[layersLabel(kind)], kind).map(({ descriptor }) => [moduleName(descriptor), descriptor]),
    );
    return (Array.isArray(list) ? list : []).map((one) => {
      const said = describedModule({ ...asObject(one, LABELS.builderMetadata), kind }, LABELS.builderMetadata);
      const full = layered.get(moduleName(said));
      return full
        ? { ...full, ...definedOf(said), api: full.api, order: full.order, targets: full.targets, stacks: full.stacks }
        : said;
    });
  };
  const stackId = labels[LABELS.stackId];
  return {
    description: typeof metadata['description'] === 'string' ? metadata['description'] : '',
    createdBy: { name: created?.name ?? '', version: created?.version ?? '' },
    stack:
      stackId === undefined || stackId === ''
        ? undefined
        : { id: stackId, mixins: mixinList(labels[LABELS.stackMixins]) },
    lifecycle: lifecycleOfMetadata(text),
    runImages: (listed.length > 0 ? listed : old).filter(({ image: name }) => name !== ''),
    buildpacks: modules('buildpack'),
    extensions: modules('extension'),
    order: parseOrderLabel(labels[LABELS.buildpackOrder], LABELS.buildpackOrder),
    orderExtensions: parseOrderLabel(labels[LABELS.extensionOrder], LABELS.extensionOrder),
    system: parseSystemLabel(labels[LABELS.systemBuildpacks]),
  };
}

/** An entry of an order with what its own order names, as deep as that goes. */
export interface OrderNode extends GroupEntry {
  readonly groups: readonly (readonly OrderNode[])[];
  /** It stands in itself: not gone into again. */
  readonly cyclic: boolean;
}

/** An order as a tree of groups; `depth` levels of it, all without. */
export function orderTree(
  order: Order,
  o: { modules: readonly ModuleDescriptor[]; depth?: number | undefined },
): readonly (readonly OrderNode[])[] {
  const byName = new Map(o.modules.map((one) => [moduleName(one), one]));
  const find = (entry: GroupEntry): ModuleDescriptor | undefined =>
    byName.get(moduleName(entry)) ?? (entry.version === '' ? o.modules.find(({ id }) => id === entry.id) : undefined);
  const below = (groups: Order, level: number, above: ReadonlySet<string>): OrderNode[][] =>
    groups.map((group) =>
      group.map((entry) => {
        const module = find(entry);
        const name = module ? moduleName(module) : moduleName(entry);
        const cyclic = above.has(name);
        const deeper = module && !cyclic && (o.depth === undefined || o.depth < 0 || level < o.depth);
        return {
          ...entry,
          version: entry.version === '' ? (module?.version ?? '') : entry.version,
          cyclic,
          groups: deeper ? below(module.order, level + 1, new Set([...above, name])) : [],
        };
      }),
    );
  return below(order, 1, new Set());
}

function mixinList(text: string | undefined): readonly string[] {
  try {
    const value: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(value) ? value.map(String) : [];
  } catch {
    return [];
  }
}

function definedOf(module: ModuleDescriptor): Partial<ModuleDescriptor> {
  return Object.fromEntries(Object.entries(module).filter(([, value]) => value !== undefined));
}
