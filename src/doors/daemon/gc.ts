import { statfsSync } from 'node:fs';
import { messageOf } from '../../base/index.ts';
import type { Engine } from '../../engine/index.ts';
import { applyGcPolicy, type GcPolicy } from '../../serve/index.ts';
import type { DaemonFlags } from '../cli/index.ts';
import { bytesFrom } from './amounts.ts';
import type { GcConfig } from './config.ts';
import type { DaemonLog } from './daemon-log.ts';

export interface GcPlan {
  readonly enabled: boolean;
  readonly policies: readonly GcPolicy[];
  /** Bytes that the store may have of the build cache, where nothing more is said than that. */
  readonly keep: number | undefined;
  /** They say more: of what kind, for how long, how much must stay free. */
  readonly detailed: boolean;
}

const MILLISECOND = 1_000_000n;
const GB = 1e9;
/** BuildKit's defaults: a tenth of the disk is reserved, at most 10 GB; never more than 60 percent of it, at most 100 GB. */
const RESERVED = { share: 0.1, most: 10 * GB };
const USED = { share: 0.6, most: 100 * GB };
/** After a build, and no more often than this. */
const EVERY_MS = 60_000;

/** What goes when, from flags, buildkitd.toml or BuildKit's defaults (cmd/buildkitd/config/gcpolicy.go). */
export function gcPolicies(config: GcConfig, flags: DaemonFlags, root: string): GcPlan {
  const enabled = flags.ociWorkerGc === undefined ? config.enabled !== false : flags.ociWorkerGc !== 'false';
  const disk = statfsSync(root);
  const size = disk.blocks * disk.bsize;
  const reserved =
    (flags.ociWorkerGcKeepstorage === undefined ? undefined : bytesFrom(flags.ociWorkerGcKeepstorage)) ??
    config.reservedSpace ??
    Math.min(size * RESERVED.share, RESERVED.most);
  const used = Math.max(reserved, config.maxUsedSpace ?? Math.min(size * USED.share, USED.most));
  const free = config.minFreeSpace ?? 0;
  const policies =
    config.policies.length > 0
      ? config.policies.map((policy): GcPolicy => ({
          ...policy,
          keepDuration: BigInt(policy.keepDuration) * MILLISECOND,
          reservedSpace: BigInt(Math.trunc(policy.reservedSpace)),
          maxUsedSpace: BigInt(Math.trunc(policy.maxUsedSpace)),
          minFreeSpace: BigInt(Math.trunc(policy.minFreeSpace)),
        }))
      : [
          {
            all: false,
            filters: [],
            keepDuration: 0n,
            reservedSpace: BigInt(Math.trunc(reserved)),
            maxUsedSpace: BigInt(Math.trunc(used)),
            minFreeSpace: BigInt(Math.trunc(free)),
          },
        ];
  const limits = policies
    .filter(({ filters }) => filters.length === 0)
    .map((policy) => Number(policy.maxUsedSpace || policy.reservedSpace));
  const limit = limits.filter((bytes) => bytes > 0);
  const detailed = policies.some(
    ({ filters, keepDuration, minFreeSpace, all }) =>
      filters.length > 0 || keepDuration > 0n || minFreeSpace > 0n || (all && config.policies.length > 0),
  );
  return {
    enabled,
    policies: enabled ? policies : [],
    keep: limit.length > 0 ? Math.min(...limit) : undefined,
    detailed,
  };
}

/** Gives back space after builds, as the policies say. */
export function collector(engine: Engine, plan: GcPlan, log: DaemonLog): () => void {
  let last = -Infinity;
  let running = false;
  return () => {
    const now = performance.now();
    if (!plan.enabled || (plan.keep === undefined && !plan.detailed) || running || now - last < EVERY_MS) return;
    last = now;
    running = true;
    const keepBytes = plan.keep;
    (async () => {
      if (plan.detailed) {
        for (const policy of plan.policies) {
          const bytes = await applyGcPolicy(engine, policy);
          if (bytes > 0) log.info('gave back space', { bytes });
        }
        return;
      }
      if (keepBytes === undefined) return;
      const usage = await engine.store.usage();
      if (usage.blobBytes + usage.snapshotBytes + usage.cacheBytes <= keepBytes) return;
      const report = await engine.store.prune({ keepBytes });
      if (report.bytes > 0) log.info('gave back space', { bytes: report.bytes });
    })()
      .catch((error: unknown) => log.warn(`give back space: ${messageOf(error)}`))
      .finally(() => {
        running = false;
      });
  };
}
