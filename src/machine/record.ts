import type { Digest, Platform, ProcessId } from '../blob/index.ts';
import type { Process, PublishedPort } from '../exec/index.ts';
import type { ImageConfig } from '../image/index.ts';
import type { RunOverrides } from './container-process.ts';
import type { PortRequest } from './ports.ts';
import type { RestartPolicy } from './restart-policy.ts';

/** What a container was asked to be; it never changes. */
export interface ContainerSpec {
  /** As it was named. */
  readonly image: string;
  readonly imageId: Digest;
  readonly platform: Platform;
  /** The image's, with what was asked for in its place (health check). */
  readonly config: ImageConfig;
  readonly overrides: RunOverrides;
  readonly publish: readonly PortRequest[];
  readonly publishAll: boolean;
  /** False: no health check. */
  readonly health: boolean;
  /** Its standard input stays open, for those who attach. */
  readonly interactive: boolean;
  readonly restart: RestartPolicy;
  /** It is removed when it has ended for good. */
  readonly autoRemove: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Named volumes that it has. */
  readonly volumes: readonly { readonly name: string; readonly target: string }[];
  /** Milliseconds that a stop waits before it kills. */
  readonly grace?: number | undefined;
  readonly log: { readonly maxBytes: number; readonly maxFiles: number };
  /** What it is to be run with, if not with the best there is. */
  readonly executor?: 'runc' | 'crun' | 'builtin' | undefined;
  /** As for `openEngine`. */
  readonly ground?: string | undefined;
}

/** `created`: never started, or its start failed. `restarting`: waits to be started again. */
export type ContainerStatus = 'created' | 'running' | 'restarting' | 'exited';

/** A container as it is kept on disk, as JSON in `container.json` of its folder. Times are milliseconds since the epoch. */
export interface ContainerRecord {
  /** Of this shape. */
  readonly version: 1;
  /** 12 hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  readonly spec: ContainerSpec;
  readonly status: ContainerStatus;
  /** The process that watches it, or the last that did. */
  readonly monitor?: ProcessId | undefined;
  /** A monitor has begun to start it. */
  readonly starting?: boolean | undefined;
  /** What the image's files make of its user. */
  readonly user?: Process['user'] | undefined;
  readonly startedAt?: number | undefined;
  readonly finishedAt?: number | undefined;
  /** Of its last run. */
  readonly exitCode?: number | undefined;
  /** Why it could not be started, or could not go on. */
  readonly error?: string | undefined;
  /** Its monitor was killed, or the machine was started anew: what it wrote to its own root in that run is lost. */
  readonly lost?: boolean | undefined;
  /** Somebody has stopped it: policy `unless-stopped` and `always` leave it. */
  readonly stopped?: boolean | undefined;
  readonly health?: 'starting' | 'healthy' | 'unhealthy' | undefined;
  /** What the last check said when the health changed. */
  readonly healthSaid?: string | undefined;
  /** How often its policy has started it again since somebody last did. */
  readonly restarts: number;
  /** Where it is reached while it runs. */
  readonly ports: readonly PublishedPort[];
  /** `root overlay runc`: what it runs on. */
  readonly runsOn?: string | undefined;
  /** Something of its root is kept in the store, under `rootName`. */
  readonly kept?: boolean | undefined;
}

/** The name under which the store keeps a container's root between two runs. */
export function rootName(id: string): string {
  return `container-${id}`;
}
