import { messageOf } from '../../base/index.ts';
import { digestOf } from '../../blob/index.ts';
import { parseManifest, parseReference } from '../../image/index.ts';
import type { BuiltImage } from '../built-image.ts';
import type { ExportRequest } from '../builder.ts';
import { formOf, idOf, told, valueOf, type Exported, type ExportContext } from './context.ts';

type RegistryExport = Extract<ExportRequest, { type: 'registry' }>;

/** A registry, under every name; blobs that are there travel no second time, those of a base in the same registry are mounted. */
export async function exportToRegistry(
  built: readonly BuiltImage[],
  e: RegistryExport,
  c: ExportContext,
): Promise<Exported> {
  const id = idOf(c);
  return told('exporting to registry', c, async (note) => {
    const family = e.docker ? ('docker' as const) : ('oci' as const);
    const { names, artifact } = e;
    const image = await valueOf(built, { ...formOf(e.compression, { family, context: c }), names, artifact });
    const client = c.worker.registry(c.session);
    let descriptor: Exported['descriptor'];
    for (const name of e.names) {
      const pushed = client.push(image, parseReference(name, { bare: e.byDigest === true }), {
        signal: c.signal,
        progress: ({ descriptor: { digest, size }, bytes, state }) => {
          const progress = {
            item: digest,
            current: bytes,
            total: size,
            unit: 'bytes' as const,
            done: state !== 'running',
          };
          c.emit({ kind: 'progress', id, at: c.clock.now(), progress });
        },
      });
      try {
        descriptor = await pushed;
      } catch (error) {
        if (!e.acceptImmutable || !isImmutableTag(error)) throw error;
        const content = await image.manifest({ signal: c.signal });
        descriptor = { mediaType: parseManifest(content).mediaType, digest: digestOf(content), size: content.length };
        note(`the tag of ${name} is there and may not change`);
        continue;
      }
      note(`pushing manifest for ${name}@${descriptor.digest}`);
    }
    return { descriptor, names: e.names };
  });
}

/** What Google's Artifact Registry and Amazon's ECR say of a tag that is there and may not change. */
const IMMUTABLE = ['The repository has enabled tag immutability', 'cannot be overwritten because the tag is immutable'];

function isImmutableTag(error: unknown): boolean {
  return IMMUTABLE.some((words) => messageOf(error).includes(words));
}
