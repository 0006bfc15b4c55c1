import type { Clock, Database, Random } from '../base/index.ts';
import type { Cloud } from '../cloud/index.ts';
import type { Engine } from '../engine/index.ts';
import type { KeptFiles } from '../wire/buildkit/index.ts';
import type { Builds } from './control/builds.ts';
import type { BuildRecordStore } from './control/history.ts';
import type { Sessions } from './control/sessions.ts';
import type { ServerInfo } from './control/worker-record.ts';
import type { Tracing } from './tracing.ts';

export interface ServerInit {
  readonly engine: Engine;
  /** Builds are kept on record here. */
  readonly database: Database;
  readonly info: ServerInfo;
  readonly clock: Clock;
  readonly random: Random;
  /** How caches among the objects of clouds are asked. */
  readonly cloud: Cloud;
  /** What builds may be granted: `network.host`, `security.insecure`. */
  readonly entitlements: ReadonlySet<string>;
  /** Builds on record, and how long they stay (milliseconds). */
  readonly history?: { readonly entries: number; readonly age: number } | undefined;
  /** A folder for what builds need for a time. */
  readonly scratch: string;
  /** What clients have sent of their files before. */
  readonly kept: KeptFiles;
  readonly tracing?: Tracing | undefined;
  /** Told when a build has ended. */
  readonly ended?: (() => void) | undefined;
  readonly log: (line: string, fields?: Readonly<Record<string, string | number>>) => void;
}

/** What all services of one server share. */
export interface Served extends ServerInit {
  readonly builds: Builds;
  readonly sessions: Sessions;
  readonly records: BuildRecordStore;
  /** Fires when no new build is taken. */
  readonly draining: AbortSignal;
  readonly counts: { completed: number; failed: number; cancelled: number; seconds: number };
}
