import type { Platform } from '../../blob/index.ts';
import { create } from '../../wire/grpc/index.ts';
import {
  BuildkitVersionSchema,
  WorkerRecordSchema,
  type BuildkitVersion,
  type WorkerRecord,
} from '../../wire/gen/buildkit/worker_pb.ts';
import { toWirePlatform } from '../../wire/buildkit/index.ts';

/** When what lies in the store goes, by BuildKit's names. Durations in nanoseconds, space in bytes; 0: not limited by that. */
export interface GcPolicy {
  readonly all: boolean;
  readonly keepDuration: bigint;
  readonly filters: readonly string[];
  readonly reservedSpace: bigint;
  readonly maxUsedSpace: bigint;
  readonly minFreeSpace: bigint;
}

/** What a server says of itself. */
export interface ServerInfo {
  /** The same for as long as the store is. */
  readonly id: string;
  readonly platforms: readonly Platform[];
  readonly labels: Readonly<Record<string, string>>;
  readonly gc: readonly GcPolicy[];
  /** strake's. */
  readonly version: string;
}

/** The version of BuildKit whose API this is: clients compare it. */
const BUILDKIT = 'v0.29.0';

export function versionOf(info: ServerInfo): BuildkitVersion {
  return create(BuildkitVersionSchema, {
    package: 'strake',
    version: BUILDKIT,
    revision: `strake-${info.version}`,
    dockerfileVersion: '1.23.0',
  });
}

export function workerRecord(info: ServerInfo): WorkerRecord {
  return create(WorkerRecordSchema, {
    ID: info.id,
    Labels: { ...info.labels },
    platforms: info.platforms.map(toWirePlatform),
    GCPolicy: info.gc.map((policy) => ({ ...policy, filters: [...policy.filters] })),
    BuildkitVersion: versionOf(info),
  });
}
