import type { Wait } from '../../base/index.ts';
import type { Executor, ProcessIo } from '../../exec/index.ts';
import type { ActiveSnapshot, Snapshotter } from '../../snapshot/index.ts';
import type { CacheMounts } from '../mounts/cache-mounts.ts';

/** What a ground is made of and what it cannot offer, for people and for `doctor`. */
export interface GroundReport {
  /** `root` or `user`: whose ids and mounts they are. */
  readonly as: 'root' | 'user';
  /** `root`: all ids; `range`: a subordinate range; `single`: one id only. */
  readonly ids: 'root' | 'range' | 'single';
  readonly snapshotter: string;
  readonly executor: string;
  /** What is lost here, and why something better is not used, one sentence each. */
  readonly lacks: readonly string[];
}

/** A snapshotter and an executor that agree on what a root is. Closing it ends its processes and mounts. */
export interface Ground extends AsyncDisposable {
  /** `root overlay runc`, for logs. */
  readonly name: string;
  readonly snapshotter: Snapshotter;
  readonly executor: Executor;
  readonly caches: CacheMounts;
  readonly report: GroundReport;
  /** One step runs at a time, and it costs less when those of one stage follow each other: there is one root for all, or no telling whose processes are whose. */
  readonly oneRoot?: boolean | undefined;
  /** Steps that outlive the process that runs them; absent where they end with it. */
  readonly survivors?: SurvivingSteps | undefined;
  /** Puts right what killed processes left; done by `openGround` already. Returns how many snapshots and folders were given up. */
  recover(w?: Wait): Promise<number>;
}

export interface SurvivingSteps {
  /** What names a root to a later process (`Survive.root`). */
  rootOf(active: ActiveSnapshot): string;
  /** A step of that key whose process is gone, with the root that it writes to; it runs, or has ended. */
  claim(key: string, w?: Wait): Promise<SurvivingStep | undefined>;
}

/** A step that was claimed; the end of the scope takes away all of it but `active`. */
export interface SurvivingStep extends AsyncDisposable {
  readonly active: ActiveSnapshot;
  /** Gives all that it has said and says, and its exit code. */
  finish(io: ProcessIo, w?: Wait): Promise<number>;
}
