import {
  CodedError,
  kindOf,
  messageOf,
  reasonOf,
  throwIfCancelled,
  type Clock,
  type Random,
  type Wait,
} from '../../base/index.ts';
import type { Descriptor } from '../../blob/index.ts';
import { parseReference, writeLayout, type Image, type Index, type Reference } from '../../image/index.ts';
import {
  cacheMountKey,
  type CacheSpec,
  type LayerAccess,
  type RefLayer,
  type Session,
  type Worker,
} from '../../worker/index.ts';
import type { BuildEvent } from '../builder.ts';
import { engineError } from '../errors.ts';
import { codecFor, writeBlobs } from '../export/index.ts';
import { cacheArtifact } from './cache-artifact.ts';
import { exportObjects } from './export-objects.ts';
import type { CachedMount, CacheRecord, CacheTarget } from './types.ts';

export interface CacheExportContext extends Wait {
  /** Position among the request's cache exports. */
  readonly at: number;
  readonly worker: Worker;
  readonly session: Session;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: (event: BuildEvent) => void;
  /** Repositories that have layers of this build already. */
  readonly mountFrom: readonly Reference[];
  /** What a cache mount holds; undefined where there is none that can be read now. */
  readonly packed: (spec: CacheSpec, access: LayerAccess) => Promise<RefLayer | undefined>;
}

/** Writes a cache where it was asked for, as a vertex of its own; blobs that are there are not sent again. With `ignoreError` a failure is a warning. */
export async function exportCache(
  records: readonly CacheRecord<RefLayer>[],
  target: CacheTarget,
  c: CacheExportContext & { readonly cacheMounts: readonly CacheSpec[] },
): Promise<Descriptor | undefined> {
  const id = `export cache ${c.at + 1}`;
  const now = (): number => c.clock.now();
  const name = target.type === 'registry' ? target.ref : target.name;
  throwIfCancelled(c);
  const kind = KINDS[target.type];
  c.emit({ kind: 'vertex', id, name: `exporting cache to ${kind}`, inputs: [] });
  c.emit({ kind: 'started', id, at: now() });
  try {
    const images = c.worker.imagesFor(c.session);
    const access = c.worker.access(c.session, { signal: c.signal });
    const codec = codecFor(target.compression);
    const mounts: CachedMount<RefLayer>[] = [];
    for (const spec of target.mounts ? c.cacheMounts : []) {
      const layer = await c.packed(spec, access);
      if (layer) mounts.push({ key: cacheMountKey(spec), layer });
      c.emit({ kind: 'note', id, at: now(), text: `${layer ? '' : 'no '}cache mount "${spec.id}"` });
    }
    const artifact = await cacheArtifact(records, {
      content: target,
      codec,
      worker: c.worker,
      images,
      access,
      mounts,
      signal: c.signal,
    });
    const descriptor = await written(artifact, target, { ...c, id });
    c.emit({
      kind: 'note',
      id,
      at: now(),
      text: `${records.length} steps, ${descriptor ? `manifest ${name}@${descriptor.digest}` : name}`,
    });
    c.emit({ kind: 'completed', id, at: now() });
    return descriptor;
  } catch (error) {
    const isCancelled = kindOf(error) === 'cancelled';
    const ignored = target.ignoreError === true && !isCancelled;
    if (ignored) c.emit({ kind: 'note', id, at: now(), text: `not written: ${messageOf(error)}` });
    c.emit({
      kind: 'completed',
      id,
      at: now(),
      ...(ignored ? {} : { error: messageOf(error), cancelled: isCancelled }),
    });
    if (!ignored) throw error;
    const message = `cache "${name}" is not written: ${messageOf(error)}`;
    c.emit({ kind: 'warning', at: now(), warning: { code: 'CacheNotWritten', message } });
    return undefined;
  }
}

const KINDS: Readonly<Record<CacheTarget['type'], string>> = {
  registry: 'registry',
  local: 'client directory',
  objects: 'object store',
};

function written(
  artifact: Image | Index,
  target: CacheTarget,
  c: CacheExportContext & { readonly id: string },
): Promise<Descriptor | undefined> {
  switch (target.type) {
    case 'registry':
      return push(artifact, target, c);
    case 'objects':
      return exportObjects(artifact, target.store, c);
    default:
      return write(artifact, target, c);
  }
}

async function push(
  artifact: Image | Index,
  target: Extract<CacheTarget, { type: 'registry' }>,
  c: CacheExportContext & { id: string },
): Promise<Descriptor> {
  return c.worker.registry(c.session).push(artifact, parseReference(target.ref), {
    mountFrom: c.mountFrom,
    signal: c.signal,
    progress: ({ descriptor: { digest, size }, bytes, state }) =>
      c.emit({
        kind: 'progress',
        id: c.id,
        at: c.clock.now(),
        progress: { item: digest, current: bytes, total: size, unit: 'bytes', done: state !== 'running' },
      }),
  });
}

async function write(
  artifact: Image | Index,
  target: Extract<CacheTarget, { type: 'local' }>,
  c: CacheExportContext,
): Promise<Descriptor> {
  const sink = c.session.host.sink(target.sink);
  // Whose index it is that names it, writes it there.
  if (sink.kind === 'blobs') return writeBlobs(artifact, sink.store, c);
  if (sink.kind !== 'folder')
    throw engineError('EXPORT_INVALID', `export cache to "${target.name}": it needs a folder`);
  try {
    const items = [{ image: artifact, refs: [target.tag] }];
    const [descriptor] = await writeLayout(sink.path, items, { random: c.random, signal: c.signal });
    if (!descriptor) throw new TypeError('nothing was written');
    return descriptor;
  } catch (error) {
    if (error instanceof CodedError) throw error;
    throw engineError('EXPORT_FAILED', `export cache to "${target.name}": ${reasonOf(error)}`, { cause: error });
  }
}
