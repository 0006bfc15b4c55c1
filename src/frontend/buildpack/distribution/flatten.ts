import type { Wait } from '../../../base/index.ts';
import type { Digest } from '../../../blob/index.ts';
import type { Layer } from '../../../image/index.ts';
import { composeTree, type ComposeItem } from '../../../tree/index.ts';
import { buildpackError } from '../errors.ts';
import { moduleName } from './labels.ts';
import { moduleFolder } from '../model/index.ts';
import { folderAt, type Module } from './module.ts';
import { layerOfTree, treeOfLayer, type Workshop } from './workshop.ts';

/** The layers that these modules are in, each once, in the order of the modules. */
export async function layersOf(modules: readonly Module[], w: Wait): Promise<readonly Layer[]> {
  const byId = new Map<Digest, Layer>();
  for (const { layer } of modules) {
    const diffId = await layer.diffId(w);
    if (!byId.has(diffId)) byId.set(diffId, layer);
  }
  return [...byId.values()];
}

/**
 * The same modules with those of each group (`id@version`) put into one layer (RFC 0123): a registry takes 127 layers at most. The others keep theirs, but one they shared with a module of a group is taken apart.
 * Throws `CNB_MODULE_MISSING` for a name that is no module's.
 */
export async function flattened(
  modules: readonly Module[],
  groups: readonly (readonly string[])[],
  o: { shop: Workshop } & Wait,
): Promise<readonly Module[]> {
  const byName = new Map(modules.map((module) => [moduleName(module.descriptor), module]));
  const groupOf = new Map<string, number>();
  for (const [at, names] of groups.entries())
    for (const name of names) {
      if (!byName.has(name))
        throw buildpackError('CNB_MODULE_MISSING', `flatten "${name}": there is no such buildpack`, {
          remedy: `Name some of ${[...byName.keys()].join(', ')}.`,
        });
      if (!groupOf.has(name)) groupOf.set(name, at);
    }
  const split = new Set<Digest>();
  for (const name of groupOf.keys()) split.add(await (byName.get(name) as Module).layer.diffId(o));
  const layers = groups.map((_, at) => {
    const members = modules.filter(({ descriptor }) => groupOf.get(moduleName(descriptor)) === at);
    return members.length === 0 ? undefined : layerOfModules(members, o);
  });
  const done: Module[] = [];
  for (const module of modules) {
    const at = groupOf.get(moduleName(module.descriptor));
    const shared = at === undefined && split.has(await module.layer.diffId(o));
    const layer = at === undefined ? (shared ? layerOfModules([module], o) : module.layer) : layers[at];
    done.push({ descriptor: module.descriptor, layer: layer ?? module.layer });
  }
  return done;
}

/** A layer of the folders of these modules, taken out of the layers they are in. */
export function layerOfModules(modules: readonly Module[], o: { shop: Workshop } & Wait): Layer {
  return layerOfTree(async () => {
    const items = new Map<string, ComposeItem>();
    for (const { descriptor, layer } of modules) {
      const tree = await treeOfLayer(layer, o);
      const folder = moduleFolder(descriptor).slice(1);
      const parent = folder.slice(0, folder.lastIndexOf('/'));
      items.set(parent, { entry: folderAt(parent) });
      let found = false;
      for (const entry of await tree.entries(o)) {
        if (entry.path !== folder && !entry.path.startsWith(`${folder}/`)) continue;
        found = true;
        items.set(entry.path, { entry, from: entry.type === 'file' ? { tree, entry } : undefined });
      }
      if (!found)
        throw buildpackError(
          'CNB_MODULE_INVALID',
          `read ${descriptor.kind} "${moduleName(descriptor)}": its layer has nothing at "/${folder}"`,
          { remedy: 'Layers of Windows packages cannot be flattened.' },
        );
    }
    return composeTree([...items.values()]);
  }, o);
}
