import { canonicalReference, parseReference } from '../../image/index.ts';
import type { BuiltImage } from '../build.ts';
import type { ExportRequest } from '../builder.ts';
import { told, type Exported, type ExportContext } from './context.ts';

type StoreExport = Extract<ExportRequest, { type: 'store' }>;

/** The local store: layers stay as they lie, the config is kept, names are moved to it. */
export async function exportToStore(built: readonly BuiltImage[], e: StoreExport, c: ExportContext): Promise<Exported> {
  return told(`export store ${e.names.join(' ')}`, 'exporting to image', c, async (note) => {
    for (const image of built) {
      const id = await c.worker.images.add({
        config: image.config,
        layers: image.layers,
        names: e.names.map((name) => canonicalReference(parseReference(name))),
      });
      note(`writing image ${id}`);
      for (const name of e.names) note(`naming to ${canonicalReference(parseReference(name))}`);
    }
    return { names: e.names };
  });
}
