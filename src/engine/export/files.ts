import { tempFolder } from '../../base/index.ts';
import { DiskBlobStore } from '../../blob/index.ts';
import { extractTree, viewTree, writeLayer } from '../../tree/index.ts';
import type { BuiltImage } from '../build.ts';
import type { ExportRequest } from '../builder.ts';
import { engineError } from '../errors.ts';
import { accessFor, told, type Exported, type ExportContext } from './context.ts';

type FilesExport = Extract<ExportRequest, { type: 'local' | 'tar' }>;

/** The root file system as a folder of the asking side's, or as a tar. */
export async function exportFiles(built: readonly BuiltImage[], e: FilesExport, c: ExportContext): Promise<Exported> {
  const [image, ...more] = built;
  if (!image || more.length > 0)
    throw engineError('EXPORT_INVALID', `export as ${e.type}: ${built.length} platforms do not fit into one tree`, {
      remedy: 'Build one platform, or export an image.',
    });
  return told(e.type === 'local' ? 'copying files' : 'sending tarball', c, async () => {
    const view = await c.worker.layers.viewOf({ kind: 'layers', layers: image.root }, accessFor(c));
    const tree = viewTree(view);
    const sink = c.session.host.sink(e.sink);
    if (e.type === 'local') {
      if (sink.kind !== 'folder') throw engineError('EXPORT_INVALID', `export to "${e.sink}": files need a folder`);
      await extractTree(tree, sink.path, { owner: process.getuid?.() === 0 ? 'keep' : 'current', signal: c.signal });
    } else {
      if (sink.kind !== 'stream') throw engineError('EXPORT_INVALID', `export to "${e.sink}": a tar needs a file`);
      using scratch = tempFolder(c.worker.scratch, c.random);
      const store = new DiskBlobStore(scratch.path, c);
      const { diffId, size } = await writeLayer(tree, {
        store,
        dialect: 'oci',
        epoch: c.request.rewriteTimestamp === false ? undefined : image.epoch,
        signal: c.signal,
      });
      await using file = await sink.open();
      for await (const chunk of await store.open({ mediaType: '', digest: diffId, size }, c)) await file.write(chunk);
      await file.close();
    }
    return { names: [] };
  });
}
