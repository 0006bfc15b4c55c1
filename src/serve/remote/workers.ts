import { unlessCancelled, type Wait } from '../../base/index.ts';
import type { Platform } from '../../blob/index.ts';
import { hostPlatform } from '../../image/index.ts';
import { Control } from '../../wire/gen/buildkit/control_pb.ts';
import { fromStatus } from '../../wire/grpc/index.ts';
import { fromWirePlatform } from '../../wire/buildkit/index.ts';
import type { RemoteConnection } from './connection.ts';

/** What a daemon says of itself. */
export interface RemoteInfo {
  /** As "v0.12.0"; empty where it says none. */
  readonly version: string;
  readonly workers: readonly {
    readonly id: string;
    readonly labels: Readonly<Record<string, string>>;
    /** The first is its machine's. */
    readonly platforms: readonly Platform[];
  }[];
}

/** Asks a daemon for its workers. Throws what it answers. */
export async function askRemote(connection: RemoteConnection, w: Wait = {}): Promise<RemoteInfo> {
  try {
    const control = connection.grpc.client(Control);
    const answers = Promise.all([
      control.listWorkers({}, { signal: w.signal }),
      // Daemons before 0.12 do not know the call.
      control.info({}, { signal: w.signal }).catch(() => undefined),
    ]);
    const [{ record }, info] = await unlessCancelled(answers, w);
    return {
      version: info?.buildkitVersion?.version ?? record[0]?.BuildkitVersion?.version ?? '',
      workers: record.map(({ ID, Labels, platforms }) => ({
        id: ID,
        labels: Labels,
        platforms: platforms.map((platform) => fromWirePlatform(platform)),
      })),
    };
  } catch (error) {
    throw fromStatus(error, `ask "${connection.name}" what it builds for`);
  }
}

const natives = new WeakMap<RemoteConnection, Platform>();

/** What a daemon's machine is: asked once on each connection. Throws what it answers. */
export async function nativeOf(connection: RemoteConnection, w: Wait = {}): Promise<Platform> {
  const known = natives.get(connection);
  if (known) return known;
  const { workers } = await askRemote(connection, w);
  const native = workers[0]?.platforms[0] ?? hostPlatform(process);
  natives.set(connection, native);
  return native;
}
