import type { Wait } from '../../base/index.ts';
import type { Digest, DiskBlobStore } from '../../blob/index.ts';
import type { LayerPlan } from '../../frontend/buildpack/index.ts';
import { layerFromTar, type Layer } from '../../image/index.ts';
import { compressLayer, GZIP, writeLayer, type WrittenLayer } from '../../tree/index.ts';
import { diskLayer } from './disk-layer.ts';

/** Writes planned layers from this machine's disk; those that are another image's are passed over. */
export async function writeLayers(
  plans: readonly LayerPlan[],
  o: { store: DiskBlobStore; launcher: string; known?: ReadonlyMap<string, WrittenLayer> } & Wait,
): Promise<ReadonlyMap<string, WrittenLayer>> {
  const found = new Map<string, WrittenLayer>();
  for (const plan of plans) {
    if (plan.reuse !== undefined) continue;
    // A layer that is launched and cached is the same in both.
    const known = plan.key.includes(':') && !plan.key.startsWith('app:') ? o.known?.get(plan.key) : undefined;
    found.set(plan.key, known ?? (await writeLayer(await diskLayer(plan, o), { ...o, dialect: plan.dialect })));
  }
  return found;
}

/** A layer of the store; it is compressed when somebody wants to send it. */
export function layerOfStore(store: DiskBlobStore, { diffId, size }: { diffId: Digest; size: number }): Layer {
  return layerFromTar(diffId, { size, blobs: store, compress: (w) => compressLayer(store, diffId, GZIP, w) });
}
