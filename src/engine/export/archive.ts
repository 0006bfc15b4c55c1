import { writeDockerArchive, writeLayout, writeOciArchive } from '../../image/index.ts';
import type { BuiltImage } from '../built-image.ts';
import type { ExportRequest } from '../builder.ts';
import { engineError } from '../errors.ts';
import { saidOf, writeBlobs } from './blobs.ts';
import { formOf, told, valueOf, type Exported, type ExportContext } from './context.ts';

type ArchiveExport = Extract<ExportRequest, { type: 'oci' | 'docker' }>;

/** An OCI or docker archive into the asking side's sink, or an OCI layout folder. */
export async function exportArchive(
  built: readonly BuiltImage[],
  e: ArchiveExport,
  c: ExportContext,
): Promise<Exported> {
  return told(`exporting to ${e.type} image format`, c, async (note) => {
    const family = (e.docker ?? e.type === 'docker') ? ('docker' as const) : ('oci' as const);
    const image = await valueOf(built, {
      ...formOf(e.compression, { family, context: c }),
      names: e.names,
      artifact: e.artifact,
      inline: e.inline === true,
    });
    const items = [{ image, names: e.names }];
    const created = built[0]?.config.created;
    const sink = c.session.host.sink(e.sink);
    if (!e.tar && sink.kind === 'blobs') {
      const descriptor = await writeBlobs(image, sink.store, c);
      note(`exporting manifest ${descriptor.digest}`);
      return { descriptor, names: e.names };
    }
    if (!e.tar) {
      if (sink.kind !== 'folder') throw engineError('EXPORT_INVALID', `export to "${e.sink}": a layout needs a folder`);
      const [descriptor] = await writeLayout(sink.path, items, { random: c.random, created, signal: c.signal });
      if (descriptor) note(`exporting manifest ${descriptor.digest}`);
      return { descriptor, names: e.names };
    }
    if (sink.kind !== 'stream') throw engineError('EXPORT_INVALID', `export to "${e.sink}": an archive needs a file`);
    const write = e.type === 'docker' ? writeDockerArchive : writeOciArchive;
    await using file = await sink.open(await saidOf(image, { names: e.names, signal: c.signal }));
    const [descriptor] = await write(items, (chunk) => file.write(chunk), { created, signal: c.signal });
    await file.close();
    if (descriptor) note(`exporting manifest ${descriptor.digest}`);
    return { descriptor, names: e.names };
  });
}
