import type { Wait } from '../../base/index.ts';
import { create, timestampFromMs } from '../../wire/grpc/index.ts';
import { UsageRecordSchema, type PruneRequest, type UsageRecord } from '../../wire/gen/buildkit/control_pb.ts';
import { serveError } from '../errors.ts';
import type { Served } from '../served.ts';

const NANOSECONDS = 1_000_000n;

/** What the store holds, a record for each kind of thing: strake counts bytes by kind, since trees share their layers. */
export async function diskUsage({ engine, clock }: Served, filters: readonly string[]): Promise<UsageRecord[]> {
  const usage = await engine.store.usage();
  const record = (ID: string, o: { size: number; count: number; about: string; type: string }): UsageRecord[] =>
    o.count === 0
      ? []
      : [
          create(UsageRecordSchema, {
            ID,
            Size: BigInt(o.size),
            Description: `${o.count} ${o.about}`,
            RecordType: o.type,
            CreatedAt: timestampFromMs(clock.now()),
            UsageCount: 1n,
            InUse: false,
            Mutable: o.type === 'exec.cachemount',
          }),
        ];
  const records = [
    ...record('blobs', { size: usage.blobBytes, count: usage.blobs, about: 'blobs', type: 'regular' }),
    ...record('snapshots', { size: usage.snapshotBytes, count: usage.snapshots, about: 'snapshots', type: 'regular' }),
    ...record('repositories', {
      size: usage.repositoryBytes,
      count: usage.repositories,
      about: 'git repositories',
      type: 'source.git.checkout',
    }),
    ...record('caches', {
      size: usage.cacheBytes,
      count: usage.caches,
      about: 'cache mounts',
      type: 'exec.cachemount',
    }),
  ];
  const asked = filters.filter((text) => text.trim() !== '');
  return asked.length === 0 ? records : records.filter((one) => asked.some((text) => fits(one, text)));
}

/** Forgets what nothing needs, by age and size, and says what that gave back. */
export async function* prune(served: Served, request: PruneRequest, w: Wait): AsyncIterable<UsageRecord> {
  if (request.filter.some((text) => text.trim() !== ''))
    throw serveError('SOLVE_UNSUPPORTED', `prune what fits "${request.filter.join(' ')}": not supported yet`, {
      remedy: 'Prune by age (until) or size.',
    });
  const keep = [request.maxUsedSpace, request.reservedSpace].find((bytes) => bytes > 0n);
  const report = await served.engine.store.prune({
    all: request.all,
    danglingImages: true,
    olderThan: Number(request.keepDuration / NANOSECONDS),
    keepBytes: keep === undefined ? undefined : Number(keep),
    signal: w.signal,
  });
  let rest = report.bytes;
  for (const { id, bytes, usedAt } of report.caches) {
    rest -= bytes;
    yield create(UsageRecordSchema, {
      ID: id,
      Size: BigInt(bytes),
      RecordType: 'exec.cachemount',
      Mutable: true,
      LastUsedAt: timestampFromMs(usedAt),
      Description: `cache mount ${id}`,
    });
  }
  if (report.results + report.blobs + report.snapshots + report.images.length > 0)
    yield create(UsageRecordSchema, {
      ID: 'store',
      Size: BigInt(Math.max(0, rest)),
      RecordType: 'regular',
      Description: `${report.results} results, ${report.blobs} blobs, ${report.snapshots} snapshots`,
    });
  served.log('pruned', { bytes: report.bytes, results: report.results });
}

/** `name==value` with `!=` and `~=`, or a name alone, joined by commas. What is not understood fits nothing. */
function fits(record: UsageRecord, filter: string): boolean {
  return filter.split(',').every((part) => {
    const [, name = '', operation = '', value = ''] = /^\s*([\w.]+)\s*(?:(==|=|!=|~=)\s*(.*))?$/.exec(part) ?? [];
    const of = FIELDS[name]?.(record);
    if (of === undefined) return false;
    if (operation === '') return of === 'true';
    if (operation === '~=') return of.includes(value);
    return operation === '!=' ? of !== value : of === value;
  });
}

const FIELDS: Readonly<Record<string, (record: UsageRecord) => string>> = {
  id: ({ ID }) => ID,
  type: ({ RecordType }) => RecordType,
  description: ({ Description }) => Description,
  inuse: ({ InUse }) => String(InUse),
  mutable: ({ Mutable }) => String(Mutable),
  immutable: ({ Mutable }) => String(!Mutable),
  shared: ({ Shared }) => String(Shared),
  private: ({ Shared }) => String(!Shared),
};
