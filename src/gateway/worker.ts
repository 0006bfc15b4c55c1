import type { Platform } from '../blob/index.ts';
import { toWirePlatform } from '../wire/buildkit/index.ts';
import { WorkerRecordSchema, type WorkerRecord } from '../wire/gen/buildkit/worker_pb.ts';
import { create } from '../wire/grpc/index.ts';

/** This machine as frontends are told of it: that there is one worker, and what it builds for. */
export function ownWorker(platform: Platform): WorkerRecord {
  return create(WorkerRecordSchema, { ID: 'strake', Labels: {}, platforms: [toWirePlatform(platform)] });
}
