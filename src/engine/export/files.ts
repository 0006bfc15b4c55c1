import { tempFolder } from '../../base/index.ts';
import { DiskBlobStore, type Digest } from '../../blob/index.ts';
import { formatPlatform } from '../../image/index.ts';
import { composeTree, extractTree, viewTree, writeLayer, type Entry, type FileTree } from '../../tree/index.ts';
import type { Statement } from '../../supply/index.ts';
import type { BuiltImage } from '../built-image.ts';
import type { ExportRequest } from '../builder.ts';
import { engineError } from '../errors.ts';
import { accessFor, told, type Exported, type ExportContext } from './context.ts';

type FilesExport = Extract<ExportRequest, { type: 'local' | 'tar' }>;

/** The root file system as a folder of the asking side's, or as a tar; of several platforms each in a folder of its own, `linux_arm64`. */
export async function exportFiles(built: readonly BuiltImage[], e: FilesExport, c: ExportContext): Promise<Exported> {
  // BuildKit's words (exporter/local, exporter/tar).
  return told(`exporting to client ${e.type === 'local' ? 'directory' : 'tarball'}`, c, async (note) => {
    note(e.type === 'local' ? 'copying files' : 'sending tarball');
    const split = e.split ?? c.index;
    const tree = split ? await sideBySide(built, e, c) : await together(built, e, c);
    const sink = c.session.host.sink(e.sink);
    if (e.type === 'local') {
      if (sink.kind === 'tree') {
        await sink.write(tree, { split, signal: c.signal });
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

async function treeOf(image: BuiltImage | undefined, e: FilesExport, c: ExportContext): Promise<FileTree> {
  const tree = viewTree(await c.worker.layers.viewOf({ kind: 'layers', layers: image?.root ?? [] }, accessFor(c)));
  const statements = (image?.statements ?? []).filter(({ inlineOnly, filename }) => !inlineOnly && filename !== '');
  return image && statements.length > 0 ? withStatements(tree, { image, statements, e, c }) : tree;
}

/** The files with what is said about them beside them: statements whose subjects they are (exporter/local/fs.go). */
async function withStatements(
  tree: FileTree,
  o: {
    readonly image: BuiltImage;
    readonly statements: readonly Statement[];
    readonly e: FilesExport;
    readonly c: ExportContext;
  },
): Promise<FileTree> {
  const { c, e, image } = o;
  const { statementBytes } = await import('../../supply/index.ts');
  const entries = await tree.entries(c);
  const files = entries.filter(({ type }) => type === 'file');
  const digests = await tree.digests(files, c);
  const subjects = files.map(({ path }, at) => ({ name: path, digest: digests[at] as Digest }));
  const texts = o.statements.map((statement) => {
    const content = statementBytes(statement, subjects, { indent: 2 });
    const path = `${e.attestationPrefix ?? ''}${statement.filename}`;
    const mtime = image.epoch ?? Math.floor(c.clock.now() / 1000);
    return {
      entry: { ...FOLDER, type: 'file', mode: 0o600, path, size: content.length, mtime } as const,
      from: { content },
    };
  });
  const paths = new Set(texts.map(({ entry }) => entry.path));
  const kept = entries.filter(({ path }) => !paths.has(path));
  return composeTree([
    ...kept.map((entry) => (entry.type === 'file' ? { entry, from: { tree, entry } } : { entry })),
    ...texts,
  ]);
}

/** The files of all platforms in one tree. A path that two of them have with other content is an error. */
async function together(built: readonly BuiltImage[], e: FilesExport, c: ExportContext): Promise<FileTree> {
  if (built.length <= 1) return treeOf(built[0], e, c);
  const items = new Map<string, { readonly item: Parameters<typeof composeTree>[0][number]; readonly from: string }>();
  for (const image of built) {
    const tree = await treeOf(image, e, c);
    const from = formatPlatform(image.plan.platform);
    for (const entry of await tree.entries(c)) {
      const before = items.get(entry.path);
      if (before && before.item.entry.type === 'directory' && entry.type === 'directory') continue;
      if (before)
        throw engineError(
          'EXPORT_INVALID',
          `export to "${e.sink}": cannot overwrite ${entry.path} from ${before.from} with ${from} when split option is disabled`,
          { remedy: 'Leave platform-split=false out, or build files of other names for each platform.' },
        );
      items.set(entry.path, { item: entry.type === 'file' ? { entry, from: { tree, entry } } : { entry }, from });
    }
  }
  return composeTree([...items.values()].map(({ item }) => item));
}

async function sideBySide(built: readonly BuiltImage[], e: FilesExport, c: ExportContext): Promise<FileTree> {
  const items: Parameters<typeof composeTree>[0][number][] = [];
  for (const image of built) {
    const tree = await treeOf(image, e, c);
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
