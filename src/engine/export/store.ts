import { canonicalReference, descriptorOf, parseReference, type ImageRecord } from '../../image/index.ts';
import type { BuiltImage } from '../built-image.ts';
import type { ExportRequest } from '../builder.ts';
import { annotationsAt, formOf, told, valueOf, type Exported, type ExportContext } from './context.ts';

type StoreExport = Extract<ExportRequest, { type: 'store' }>;

/** The local store: layers stay as they lie, the config is kept, names are moved to it. */
export async function exportToStore(built: readonly BuiltImage[], e: StoreExport, c: ExportContext): Promise<Exported> {
  return told('exporting to image', c, async (note) => {
    const { images } = c.worker;
    const names = e.names.map((name) => canonicalReference(parseReference(name)));
    const records: ImageRecord[] = [];
    for (const image of built) {
      const annotations = annotationsAt('manifest', c, image.plan.platform);
      const id = await images.add({
        config: image.config,
        layers: image.layers,
        names: built.length === 1 ? names : [],
        annotations: Object.keys(annotations).length > 0 ? annotations : undefined,
        statements: image.statements,
        signal: c.signal,
      });
      note(`writing image ${id}`);
      records.push(images.resolve(id));
    }
    if (built.length > 1) images.put(names, records);
    for (const name of names) note(`naming to ${name}`);
    if (!e.describe) return { names: e.names };
    const { compression, docker } = e.describe;
    const form = formOf(compression, { family: docker ? 'docker' : 'oci', context: c });
    const value = await valueOf(built, { ...form, names: e.names });
    return { names: e.names, descriptor: await descriptorOf(value, c) };
  });
}
