import type { Wait } from '../../base/index.ts';
import type { LayerContent, LayerPlan } from '../../frontend/buildpack/index.ts';
import {
  composeTree,
  parentOf,
  walkFolder,
  type ComposeItem,
  type ContentPlace,
  type Entry,
  type FileTree,
} from '../../tree/index.ts';
import { diskFiles } from './disk-files.ts';
import { lifecycleError } from './errors.ts';

/** What a layer holds, taken from this machine's disk: the twin of frontend/buildpack/graph's `layerState`. `launcher` is the path of the launcher's program. */
export async function diskLayer(plan: LayerPlan, o: { launcher: string } & Wait): Promise<FileTree> {
  const items: ComposeItem[] = [];
  for (const content of plan.content) for (const item of await itemsOf(content, o)) items.push(item);
  return composeTree(items);
}

async function itemsOf(content: LayerContent, o: { launcher: string } & Wait): Promise<readonly ComposeItem[]> {
  const path = content.path.slice(1);
  const made = { path, size: 0, mtime: 0, mtimeNs: 0 };
  switch (content.kind) {
    case 'parents': {
      const above: string[] = [];
      for (let at = parentOf(path); at !== ''; at = parentOf(at)) above.unshift(at);
      return Promise.all(above.map(async (at) => ({ entry: (await oneAt(`/${at}`, o)).entry })));
    }
    case 'tree':
      return treeAt(content, o);
    case 'entry': {
      const { entry, from } = await oneAt(content.path, o);
      return [{ entry: owned(entry, content), from }];
    }
    case 'folder': {
      const { mode, uid, gid } = content;
      return [{ entry: { ...made, type: 'directory', mode, uid, gid } }];
    }
    case 'file': {
      const { mode, uid, gid } = content;
      const bytes = Buffer.from(content.content);
      return [{ entry: { ...made, type: 'file', mode, uid, gid, size: bytes.length }, from: { content: bytes } }];
    }
    case 'link': {
      const { mode, uid, gid, target } = content;
      return [{ entry: { ...made, type: 'symlink', mode, uid, gid, link: target } }];
    }
    default: {
      const { entry, from } = await oneAt(o.launcher, o);
      if (entry.type !== 'file')
        throw lifecycleError('LIFECYCLE_FILE_MISSING', `export the launcher: "${o.launcher}" is no file`, {
          remedy: 'Name it with -launcher.',
        });
      return [{ entry: { ...entry, path, mode: 0o755, uid: 0, gid: 0 }, from }];
    }
  }
}

/** A folder with all below it; of a file with several names each is one of its own. */
async function treeAt(content: Extract<LayerContent, { kind: 'tree' }>, o: Wait): Promise<readonly ComposeItem[]> {
  const { path, except = [] } = content;
  if ((await diskFiles.stat(path))?.type !== 'directory') {
    const { entry, from } = await oneAt(path, o);
    return [{ entry: owned(entry, content), from }];
  }
  const tree = await walkFolder(path, { root: true, xattrs: () => false, ...o });
  const prefix = path.slice(1);
  const below = (at: string): string => (at === '' ? prefix : `${prefix}/${at}`);
  const left = (at: string): boolean => except.some((one) => `/${at}` === one || `/${at}`.startsWith(`${one}/`));
  const entries = await tree.entries(o);
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  return entries.flatMap((entry): ComposeItem[] => {
    const at = below(entry.path);
    if (left(at)) return [];
    const source = entry.type === 'hardlink' ? byPath.get(entry.link ?? '')! : entry;
    return [
      {
        entry: owned({ ...plain(source), path: at }, content),
        from: source.type === 'file' ? { tree, entry: source } : undefined,
      },
    ];
  });
}

/** One entry by itself. */
async function oneAt(path: string, o: Wait): Promise<{ entry: Entry; from: ContentPlace | undefined }> {
  const known = await diskFiles.stat(path);
  if (!known)
    throw lifecycleError('LIFECYCLE_FILE_MISSING', `export "${path}": it is not there`, { remedy: 'Check the path.' });
  if (known.type === 'directory') return { entry: known, from: undefined };
  const name = path.slice(path.lastIndexOf('/') + 1);
  const tree = await walkFolder(path.slice(0, path.lastIndexOf('/')) || '/', {
    include: [escaped(name)],
    xattrs: () => false,
    ...o,
  });
  const entry = (await tree.entries(o)).find((one) => one.path === name);
  if (!entry) throw lifecycleError('LIFECYCLE_FILE_MISSING', `export "${path}": it is not there`);
  return {
    entry: { ...plain(entry), path: path.slice(1) },
    from: entry.type === 'file' ? { tree, entry } : undefined,
  };
}

/** Without what makes it the walk's own. */
function plain({ path, type, mode, uid, gid, size, mtime, mtimeNs, link, device }: Entry): Entry {
  return { path, type, mode, uid, gid, size, mtime, mtimeNs, link, device };
}

function owned(entry: Entry, { uid, gid }: { readonly uid: number; readonly gid: number }): Entry {
  return { ...entry, uid, gid };
}

const escaped = (name: string): string => name.replaceAll(/[\\*?[\]!#]/g, String.raw`\$&`);
