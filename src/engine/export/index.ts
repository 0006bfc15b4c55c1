import type { BuiltImage } from '../built-image.ts';
import type { BuildResult, ExportRequest } from '../builder.ts';
import { digestOf } from '../../blob/index.ts';
import { encodeConfig } from '../../image/index.ts';
import type { Codec } from '../../tree/index.ts';
import { exportArchive } from './archive.ts';
import { codecFor, type Exported, type ExportContext } from './context.ts';
import { exportToDaemon } from './daemon.ts';
import { exportFiles } from './files.ts';
import { exportToRegistry } from './registry.ts';
import { exportToStore } from './store.ts';

export { writeBlobs } from './blobs.ts';
export { codecFor } from './context.ts';
export { daemonSockets, loadIntoDaemon } from './daemon.ts';
export type { ExportContext } from './context.ts';

/** The codec in which an export wants the new layers; undefined where it takes them as they lie. */
export function codecOf(e: ExportRequest): Codec | undefined {
  if (e.type === 'registry' || e.type === 'containerd' || e.type === 'oci' || e.type === 'docker') {
    const codec = codecFor(e.compression);
    return codec.name === 'none' ? undefined : codec;
  }
  return undefined;
}

/** Writes what was built everywhere it was asked for, one target after the other, and says what came of it. */
export async function exportAll(built: readonly BuiltImage[], c: Omit<ExportContext, 'at'>): Promise<BuildResult> {
  const exported: Exported[] = [];
  for (const [at, e] of c.request.exports.entries()) exported.push(await exportOne(built, e, { ...c, at }));
  const images = built.map((image) => ({
    platform: image.plan.platform,
    imageId: digestOf(encodeConfig(image.config)),
    ...(image.statements.length > 0 && {
      statements: image.statements.map(({ predicateType, predicate }) => ({ predicateType, predicate })),
    }),
    manifests: exported.flatMap(({ descriptor, names }, at) => (descriptor ? [{ export: at, descriptor, names }] : [])),
  }));
  const metadata: Record<string, unknown> = {};
  const [first] = images;
  if (first && !c.index) metadata['containerimage.config.digest'] = first.imageId;
  const written = exported.find(({ descriptor }) => descriptor !== undefined)?.descriptor;
  if (written) {
    metadata['containerimage.digest'] = written.digest;
    metadata['containerimage.descriptor'] = written;
  }
  const names = [...new Set(exported.flatMap((one) => one.names))];
  if (names.length > 0) metadata['image.name'] = names.join(',');
  return { images, metadata };
}

async function exportOne(built: readonly BuiltImage[], e: ExportRequest, c: ExportContext): Promise<Exported> {
  switch (e.type) {
    case 'store':
      return exportToStore(built, e, c);
    case 'registry':
      return exportToRegistry(built, e, c);
    case 'oci':
    case 'docker':
      return exportArchive(built, e, c);
    case 'docker-daemon':
      return exportToDaemon(built, e, c);
    case 'containerd':
      // Loaded when it is asked for: gRPC takes its time to load.
      return (await import('./containerd.ts')).exportToContainerd(built, e, c);
    default:
      return exportFiles(built, e, c);
  }
}
