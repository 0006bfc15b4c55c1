import type { Wait } from '../../../base/index.ts';
import type { Platform } from '../../../blob/index.ts';
import { sourceState, State, type FileAction, type ImageSource } from '../../../graph/index.ts';
import { canonicalReference, parseReference } from '../../../image/index.ts';
import { LIFECYCLE_TIME, unionOf, type FileTree } from '../../../tree/index.ts';
import type { FrontendHost } from '../../index.ts';
import { buildpackError } from '../errors.ts';
import { moduleFolder, moduleKey, parseModuleDescriptor } from '../model/index.ts';
import type { Group, GroupEntry, ModuleDescriptor, ModuleId, ModuleKind, Order } from '../model/types.ts';
import { inlineModule } from '../project/inline-module.ts';
import type { ProjectModule } from '../project/project.ts';
import type { Builder } from './builder.ts';
import type { BuildpackOptions, ModuleLocator } from './options.ts';
import { readModules } from './read-builder.ts';
import { filesOf } from './ref-files.ts';
import { resolveImage } from './resolve-image.ts';

interface Adding {
  readonly host: FrontendHost;
  readonly options: BuildpackOptions;
  readonly platform: Platform;
  readonly signal?: AbortSignal | undefined;
}

/** A builder with the buildpacks and extensions put into it that were asked for, and its order as they change it: a list of buildpacks is one group in the place of all; `pre` and `post` go around each group (facts of pack's order rule). */
export async function addModules(
  host: FrontendHost,
  builder: Builder,
  o: { options: BuildpackOptions; platform: Platform } & Wait,
): Promise<Builder> {
  const { options } = o;
  const { buildpacks, preBuildpacks, postBuildpacks, extensions } = options;
  if ([buildpacks, preBuildpacks, postBuildpacks, extensions].every((list) => list.length === 0)) return builder;
  const work = new Additions(builder, { host, ...o });
  const groups = await work.groups(buildpacks);
  const [pre, post] = [await work.entries(preBuildpacks), await work.entries(postBuildpacks)];
  const order = buildpacks.length > 0 ? groups : builder.order.map((group) => [...pre, ...group, ...post]);
  const extended = await work.entries(extensions, 'extension');
  return {
    ...work.builder(),
    order,
    orderExtensions: extended.length > 0 ? [extended] : builder.orderExtensions,
  };
}

class Additions {
  readonly #o: Adding;
  #builder: Builder;

  constructor(builder: Builder, o: Adding) {
    this.#builder = builder;
    this.#o = o;
  }

  builder(): Builder {
    return this.#builder;
  }

  /** One group of these; where the builder's order stands among them, one for each of its groups. */
  async groups(list: readonly ModuleLocator[]): Promise<Order> {
    let groups: Group[] = [[]];
    for (const locator of list) {
      const next: Order = locator.type === 'order' ? this.#builder.order : [await this.#entries(locator, 'buildpack')];
      groups = groups.flatMap((group) => next.map((more) => [...group, ...more]));
    }
    return groups;
  }

  async entries(list: readonly ModuleLocator[], kind: ModuleKind = 'buildpack'): Promise<Group> {
    const found: GroupEntry[] = [];
    for (const locator of list) found.push(...(await this.#entries(locator, kind)));
    return found;
  }

  async #entries(locator: ModuleLocator, kind: ModuleKind): Promise<Group> {
    if (locator.type === 'order') return this.#builder.order[0] ?? [];
    if (locator.type === 'name') return this.#entries(this.#named(locator.text, kind), kind);
    if (locator.type === 'builder') return [entryOf(this.#find(locator, kind))];
    if (locator.type === 'image') return [entryOf(await this.#addImage(locator.reference, kind))];
    if (locator.type === 'inline') return [entryOf(await this.#addScript(locator.module))];
    const from = locator.type === 'local' ? { name: locator.name, path: '/' } : { name: 'context', path: locator.path };
    return [entryOf(await this.#addFolder(from, kind))];
  }

  #named(text: string, kind: ModuleKind): ModuleLocator {
    const [id = '', version] = text.split('@');
    const has = [...this.#builder.modules.values()].some((module) => module.kind === kind && module.id === id);
    return has ? { type: 'builder', id, version } : { type: 'image', reference: text };
  }

  /** The only version the builder has, or the one that is asked for. */
  #find(locator: { readonly id: string; readonly version?: string | undefined }, kind: ModuleKind): ModuleDescriptor {
    const { id, version } = locator;
    const all = [...this.#builder.modules.values()].filter((module) => module.kind === kind && module.id === id);
    const found = version === undefined ? all : all.filter((module) => module.version === version);
    if (found.length === 1 && found[0]) return found[0];
    const named = version === undefined ? id : `${id}@${version}`;
    const versions = all.map((module) => module.version).join(', ');
    throw buildpackError(
      'CNB_MODULE_MISSING',
      found.length > 1
        ? `use ${kind} "${named}": the builder has several versions of it (${versions})`
        : `use ${kind} "${named}": the builder has ${all.length > 0 ? `versions ${versions} only` : 'none of that name'}`,
      {
        remedy:
          all.length > 0
            ? `Name a version: ${id}@${all[0]?.version ?? ''}.`
            : `The builder has: ${[...this.#builder.modules.values()].map((module) => module.id).join(', ')}.`,
      },
    );
  }

  async #addFolder(
    from: { readonly name: string; readonly path: string },
    kind: ModuleKind,
  ): Promise<ModuleDescriptor> {
    const { name, path } = from;
    const what = path === '/' ? name : path;
    const folder = sourceState({ type: 'local', name }, { name: `[internal] load ${what}`, internal: true });
    const files = await filesOf(this.#o.host, folder, this.#o);
    const bytes = await files.read(joined(path, `${kind}.toml`), this.#o);
    if (!bytes)
      throw buildpackError('CNB_MODULE_MISSING', `use ${kind} "${what}": there is no ${kind}.toml in it`, {
        remedy: `Name the folder that holds ${kind}.toml.`,
      });
    const module = parseModuleDescriptor(Buffer.from(bytes).toString(), {
      kind,
      file: joined(path, `${kind}.toml`).slice(1),
    });
    await this.#put([module], folder, [copyFolder(path, moduleFolder(module))]);
    return module;
  }

  async #addScript(script: ProjectModule): Promise<ModuleDescriptor> {
    const made = inlineModule(script);
    if (!made) throw new TypeError('use an inline buildpack: it has no script');
    const folder = moduleFolder(made.descriptor);
    const files = await collectFiles(made.tree);
    const owner = { user: 0, group: 0 };
    const actions = files.flatMap(({ path, mode, content }): FileAction[] => {
      const at = joined(folder, path);
      const above = at.slice(0, at.lastIndexOf('/'));
      return [
        { kind: 'mkdir', path: above, mode: 0o755, parents: true, owner, mtime: LIFECYCLE_TIME },
        { kind: 'mkfile', path: at, mode, content, owner, mtime: LIFECYCLE_TIME },
      ];
    });
    const tree = State.files({ actions }, [], { name: `[internal] the script ${made.descriptor.id}`, internal: true });
    await this.#put([made.descriptor], tree, [copyFolder(folder, folder)]);
    return made.descriptor;
  }

  /** A buildpackage: all modules it has; the one it is named after is that which no other one's order names. */
  async #addImage(name: string, kind: ModuleKind): Promise<ModuleDescriptor> {
    const reference = canonicalReference(parseReference(name));
    const { platform, options, host } = this.#o;
    const source: ImageSource = { type: 'image', reference, platform, pull: options.pull };
    const { source: pinned } = await resolveImage(host, source, this.#o);
    const image = sourceState(pinned.source, { name: `[builder] ${name}`, group: 'builder' });
    const modules = [...(await readModules(await filesOf(host, image, this.#o), name, this.#o)).values()];
    const inside = new Set(modules.flatMap((module) => module.order.flat()).map(moduleKey));
    const [main, ...more] = modules.filter((module) => module.kind === kind && !inside.has(moduleKey(module)));
    if (!main || more.length > 0)
      throw buildpackError(
        'CNB_MODULE_MISSING',
        `use ${kind} "${name}": ${main ? `several ${kind}s of it are named by no order` : `there is no ${kind} in the image`}`,
        { remedy: 'Name an image that was made as a buildpackage ("strake buildpack package").' },
      );
    const folders = modules.map(moduleFolder);
    await this.#put(
      modules,
      image,
      folders.map((folder) => copyFolder(folder, folder)),
    );
    return main;
  }

  async #put(modules: readonly ModuleDescriptor[], from: State, actions: readonly FileAction[]): Promise<void> {
    const { state } = this.#builder;
    const names = modules.map(({ id, version }) => `${id}@${version}`).join(', ');
    const next = state.file(actions, [from], { name: `[builder] add ${names}`, group: 'builder' });
    this.#builder = {
      ...this.#builder,
      state: next,
      files: await filesOf(this.#o.host, next, this.#o),
      modules: new Map([...this.#builder.modules, ...modules.map((module) => [moduleKey(module), module] as const)]),
    };
  }
}

function joined(folder: string, name: string): string {
  return `${folder === '/' ? '' : folder}/${name}`;
}

async function collectFiles(
  tree: FileTree,
): Promise<{ readonly path: string; readonly mode: number; readonly content: string }[]> {
  const files: { path: string; mode: number; content: string }[] = [];
  const view = await unionOf([tree]);
  for (const { entry, path } of view.walk('/')) {
    if (entry.type !== 'file') continue;
    files.push({ path, mode: entry.mode, content: Buffer.from(await view.readFile(path)).toString() });
  }
  return files;
}

/** As pack lays modules into a builder: root's, their times no part of what they are. */
export function copyFolder(source: string, destination: string): FileAction {
  return {
    kind: 'copy',
    from: { input: 1 },
    sources: [source],
    destination: `${destination}/`,
    wildcard: false,
    parents: false,
    unpack: false,
    followDestination: true,
    owner: { user: 0, group: 0 },
    mtime: LIFECYCLE_TIME,
  };
}

export function entryOf(module: ModuleId): GroupEntry {
  return { kind: module.kind, id: module.id, version: module.version, optional: false, execEnv: [] };
}
