import type { Wait } from '../../../base/index.ts';
import type { Layer } from '../../../image/index.ts';
import { composeTree, type ComposeItem, type Entry, type FileTree } from '../../../tree/index.ts';
import { buildpackError } from '../errors.ts';
import { moduleFolder, parseModuleDescriptor } from '../model/index.ts';
import type { ModuleDescriptor, ModuleKind, Target } from '../model/types.ts';
import { moduleName } from './labels.ts';
import { targetFolders } from './targets.ts';
import { layerOfTree, type Workshop } from './workshop.ts';

/** Bytes of a buildpack.toml. */
const DESCRIPTOR_LIMIT = 1 << 20;

/** A buildpack or extension, and the layer that holds it, which may hold others, too. */
export interface Module {
  readonly descriptor: ModuleDescriptor;
  readonly layer: Layer;
}

/** Modules that come together: a composite with those that its order names, or one alone. */
export interface ModulePackage {
  readonly main: Module;
  /** Sorted by id and version. */
  readonly others: readonly Module[];
}

/**
 * The module whose files are `tree`, at its root. With a target, files come from the innermost folder named for it that is there (`linux/amd64/…`, RFC 0128), the descriptor from the root.
 * Throws `CNB_MODULE_INVALID` where there is no buildpack.toml or extension.toml.
 */
export async function moduleOfTree(
  tree: FileTree,
  o: {
    shop: Workshop;
    /** Of messages. */
    what: string;
    kind?: ModuleKind | undefined;
    target?: Target | undefined;
  } & Wait,
): Promise<Module> {
  const entries = await tree.entries(o);
  const { kind, file } = descriptorFile(entries, o);
  if (file.size > DESCRIPTOR_LIMIT)
    throw buildpackError('CNB_MODULE_INVALID', `read "${o.what}": its ${file.path} is larger than 1 MiB`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of tree.read([file], o)) chunks.push(chunk.slice());
  const content = Buffer.concat(chunks);
  const descriptor = parseModuleDescriptor(content.toString(), { kind, file: `${o.what}/${file.path}` });
  const folder = platformFolder(entries, o.target);
  const layer = layerOfTree(
    async () =>
      composeTree(placed(entries, { tree, folder, root: moduleFolder(descriptor).slice(1), toml: { file, content } })),
    o,
  );
  return { descriptor, layer };
}

function descriptorFile(
  entries: readonly Entry[],
  o: { what: string; kind?: ModuleKind | undefined },
): { kind: ModuleKind; file: Entry } {
  for (const kind of o.kind === undefined ? (['buildpack', 'extension'] as const) : [o.kind]) {
    const file = entries.find(({ path, type }) => path === `${kind}.toml` && type === 'file');
    if (file) return { kind, file };
  }
  const below = entries.find(({ path }) => /^[^/]+\/(?:buildpack|extension)\.toml$/.test(path));
  throw buildpackError(
    'CNB_MODULE_INVALID',
    `read "${o.what}": there is no ${o.kind === undefined ? 'buildpack.toml or extension.toml' : `${o.kind}.toml`} in it`,
    { remedy: below ? `There is a "${below.path}": name what is in that folder.` : undefined },
  );
}

/** The innermost folder of a target that is there; the walk ends at the first that is not. */
function platformFolder(entries: readonly Entry[], target: Target | undefined): string {
  const folders = new Set(entries.filter(({ type }) => type === 'directory').map(({ path }) => path));
  let at = '';
  for (const name of target ? targetFolders(target) : []) {
    const next = at === '' ? name : `${at}/${name}`;
    if (!folders.has(next)) break;
    at = next;
  }
  return at;
}

/** The entries of a module's layer: its own two folders, then its files, their modes as pack has them: 0755 for what may be run and for folders, else 0644. */
function placed(
  entries: readonly Entry[],
  o: {
    tree: FileTree;
    folder: string;
    root: string;
    toml: { readonly file: Entry; readonly content: Uint8Array };
  },
): readonly ComposeItem[] {
  const { tree, folder, root, toml } = o;
  const prefix = folder === '' ? '' : `${folder}/`;
  const items: ComposeItem[] = [root.slice(0, root.lastIndexOf('/')), root].map((path) => ({ entry: folderAt(path) }));
  for (const entry of entries) {
    if (entry.path === '' || !entry.path.startsWith(prefix) || entry.path === folder) continue;
    const path = entry.path.slice(prefix.length);
    if (path === toml.file.path && folder !== '') continue;
    const from = entry.type === 'file' ? { tree, entry } : undefined;
    const link = entry.type === 'hardlink' ? `${root}/${(entry.link ?? '').slice(prefix.length)}` : entry.link;
    items.push({ entry: { ...entry, path: `${root}/${path}`, mode: modeOf(entry, path), uid: 0, gid: 0, link }, from });
  }
  if (folder !== '')
    items.push({
      entry: { ...toml.file, path: `${root}/${toml.file.path}`, mode: 0o644, uid: 0, gid: 0 },
      from: { content: toml.content },
    });
  return items;
}

const PROGRAMS: ReadonlySet<string> = new Set(['bin/build', 'bin/detect', 'bin/generate']);

function modeOf(entry: Entry, path: string): number {
  return entry.type === 'directory' || PROGRAMS.has(path) || (entry.mode & 0o111) !== 0 ? 0o755 : 0o644;
}

/** A folder of root's, 0755. */
export function folderAt(path: string, owner: { uid: number; gid: number } = { uid: 0, gid: 0 }): Entry {
  return { path, type: 'directory', mode: 0o755, ...owner, size: 0, mtime: 0, mtimeNs: 0 };
}

/** By id and version, as labels and layers have them. */
export function sortedModules(modules: readonly Module[]): readonly Module[] {
  return modules.toSorted((a, b) => (moduleName(a.descriptor) < moduleName(b.descriptor) ? -1 : 1));
}
