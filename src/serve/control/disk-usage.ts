import { statfsSync } from 'node:fs';
import type { Wait } from '../../base/index.ts';
import type { Engine, StoreRecord } from '../../engine/index.ts';
import { create, timestampFromMs } from '../../wire/grpc/index.ts';
import { UsageRecordSchema, type PruneRequest, type UsageRecord } from '../../wire/gen/buildkit/control_pb.ts';
import type { Served } from '../served.ts';
import { recordFilter } from './record-filter.ts';
import type { GcPolicy } from './worker-record.ts';

const NANOSECONDS = 1_000_000n;

/** What the store holds, record by record. Throws `FILTER_INVALID`. */
export async function diskUsage({ engine }: Served, filters: readonly string[], w: Wait = {}): Promise<UsageRecord[]> {
  const fits = recordFilter(filters);
  const records = await engine.store.records(w);
  return records.filter((record) => fits?.(record) ?? true).map(toUsage);
}

/** Forgets what nothing needs, by filter, age and size, and says what that was. Throws `FILTER_INVALID`. */
export async function* prune(served: Served, request: PruneRequest, w: Wait): AsyncIterable<UsageRecord> {
  const { store } = served.engine;
  const fits = recordFilter(request.filter);
  // Images that have lost their name need nothing any more.
  const dangling = fits ? 0 : (await store.prune({ danglingImages: true, signal: w.signal })).bytes;
  const total = (await store.records(w)).reduce((sum, { bytes, shared }) => sum + (shared ? 0 : bytes), 0);
  const disk = statfsSync(store.folder);
  const keepBytes = bytesToKeep(request, { total, free: disk.bavail * disk.bsize });
  const older = Number(request.keepDuration / NANOSECONDS);
  const report = await store.prune({
    // What images need as well, giving up would free nothing.
    fits: (record) => (request.all || !record.shared) && (fits?.(record) ?? true),
    olderThan: older > 0 ? older : undefined,
    keepBytes,
    signal: w.signal,
  });
  let rest = dangling + report.bytes;
  for (const record of report.records ?? []) {
    rest -= record.bytes;
    yield toUsage(record);
  }
  if (rest > 0)
    yield create(UsageRecordSchema, {
      ID: 'working-files',
      Size: BigInt(rest),
      RecordType: 'internal',
      Description: 'unpacked trees, and what nothing needed',
    });
  served.log('pruned', { bytes: report.bytes, records: report.records?.length ?? 0 });
}

/** What one policy of buildkitd.toml has go; gives the bytes that came of it. Throws `FILTER_INVALID`. */
export async function applyGcPolicy(engine: Engine, policy: GcPolicy, w: Wait = {}): Promise<number> {
  const fits = recordFilter(policy.filters);
  const total = (await engine.store.records(w)).reduce((sum, { bytes, shared }) => sum + (shared ? 0 : bytes), 0);
  const disk = statfsSync(engine.store.folder);
  const keepBytes = bytesToKeep(policy, { total, free: disk.bavail * disk.bsize });
  // A policy of which nothing says how much may stay is about age alone.
  if (keepBytes !== undefined && total <= keepBytes) return 0;
  const older = Number(policy.keepDuration / NANOSECONDS);
  const { bytes } = await engine.store.prune({
    fits: (record) => (policy.all || !record.shared) && (fits?.(record) ?? true),
    olderThan: older > 0 ? older : undefined,
    keepBytes,
    ...w,
  });
  return bytes;
}

/** Bytes that may stay; undefined where that is no reason (cache/manager.go, calculateKeepBytes). */
export function bytesToKeep(
  o: Pick<PruneRequest, 'maxUsedSpace' | 'reservedSpace' | 'minFreeSpace'>,
  disk: { readonly total: number; readonly free: number },
): number | undefined {
  const [most, reserved, free] = [o.maxUsedSpace, o.reservedSpace, o.minFreeSpace].map(Number) as [
    number,
    number,
    number,
  ];
  if (most === 0 && reserved === 0 && free === 0) return undefined;
  const excess = free - disk.free;
  let keep = most;
  if (excess > 0) keep = keep === 0 ? disk.total - excess : Math.min(keep, disk.total - excess);
  // Without a limit, and with space enough, nothing has to go.
  else if (most === 0 && free > 0) return Infinity;
  return Math.max(keep, reserved);
}

function toUsage(record: StoreRecord): UsageRecord {
  return create(UsageRecordSchema, {
    ID: record.id,
    Size: BigInt(record.bytes),
    Description: record.description,
    RecordType: record.kind,
    Parents: [...record.parents],
    UsageCount: record.usedAt === undefined ? 0n : 1n,
    InUse: record.inUse,
    Mutable: record.mutable,
    Shared: record.shared,
    ...(record.createdAt !== undefined && { CreatedAt: timestampFromMs(record.createdAt) }),
    ...(record.usedAt !== undefined && { LastUsedAt: timestampFromMs(record.usedAt) }),
  });
}
