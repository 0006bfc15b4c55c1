import { tempFolder } from '../../base/index.ts';
import { DiskBlobStore } from '../../blob/index.ts';
import { formatPlatform } from '../../image/index.ts';
import { composeTree, extractTree, viewTree, writeLayer, type Entry, type FileTree } from '../../tree/index.ts';
import type { BuiltImage } from '../build.ts';
import type { ExportRequest } from '../builder.ts';
import { engineError } from '../errors.ts';
import { accessFor, told, type Exported, type ExportContext } from './context.ts';

type FilesExport = Extract<ExportRequest, { type: 'local' | 'tar' }>;

/** The root file system as a folder of the asking side's, or as a tar; of several platforms each in a folder of its own, `linux_arm64`. */
export async function exportFiles(built: readonly BuiltImage[], e: FilesExport, c: ExportContext): Promise<Exported> {
  return told(e.type === 'local' ? 'copying files' : 'sending tarball', c, async () => {
    const tree = c.index ? await sideBySide(built, c) : await treeOf(built[0], c);
    const sink = c.session.host.sink(e.sink);
    if (e.type === 'local') {
      if (sink.kind === 'tree') {
        await sink.write(tree, { split: c.index, signal: c.signal });
        return { names: [] };
      }
      if (sink.kind !== 'folder') throw engineError('EXPORT_INVALID', `export to "${e.sink}": files need a folder`);
      await extractTree(tree, sink.path, { owner: process.getuid?.() === 0 ? 'keep' : 'current', signal: c.signal });
      return { names: [] };
    }
    if (sink.kind !== 'stream') throw engineError('EXPORT_INVALID', `export to "${e.sink}": a tar needs a file`);
    using scratch = tempFolder(c.worker.scratch, c.random);
    const store = new DiskBlobStore(scratch.path, c);
    const { diffId, size } = await writeLayer(tree, {
      store,
      dialect: 'oci',
      epoch: c.request.rewriteTimestamp === false ? undefined : built[0]?.epoch,
      signal: c.signal,
    });
    await using file = await sink.open();
    for await (const chunk of await store.open({ mediaType: '', digest: diffId, size }, c)) await file.write(chunk);
    await file.close();
    return { names: [] };
  });
}

async function treeOf(image: BuiltImage | undefined, c: ExportContext): Promise<FileTree> {
  return viewTree(await c.worker.layers.viewOf({ kind: 'layers', layers: image?.root ?? [] }, accessFor(c)));
}

async function sideBySide(built: readonly BuiltImage[], c: ExportContext): Promise<FileTree> {
  const items: Parameters<typeof composeTree>[0][number][] = [];
  for (const image of built) {
    const tree = await treeOf(image, c);
    const folder = formatPlatform(image.plan.platform).replaceAll('/', '_');
    items.push({ entry: { ...FOLDER, path: folder, mtime: image.epoch ?? Math.floor(c.clock.now() / 1000) } });
    for (const entry of await tree.entries(c)) {
      if (entry.path === '') continue;
      const inside = { ...entry, path: `${folder}/${entry.path}` };
      if (entry.type === 'hardlink') inside.link = `${folder}/${entry.link ?? ''}`;
      items.push(entry.type === 'file' ? { entry: inside, from: { tree, entry } } : { entry: inside });
    }
  }
  return composeTree(items);
}

const FOLDER: Entry = { path: '', type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 0, mtimeNs: 0 };
