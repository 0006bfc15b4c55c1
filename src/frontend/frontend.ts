import type { SourcePlace, Wait } from '../base/index.ts';
import type { Digest, Platform } from '../blob/index.ts';
import type { SourceOp, State, Vertex } from '../graph/index.ts';
import type { History, ImageConfig } from '../image/index.ts';
import type { Dialect, Entry } from '../tree/index.ts';
import type { Container, ContainerRequest } from './container.ts';
import type { Ref } from './ref.ts';

/** What the asking side wants of a frontend. Everything is plain data; files come through `FrontendHost`. */
export interface FrontendRequest {
  /** Frontend options by BuildKit's names: `filename`, `target`, `build-arg:NAME`, `label:NAME`, `no-cache`, `platform`, `add-hosts`, `force-network-mode`, `shm-size`, `ulimit`, `hostname`, `image-resolve-mode`, `context:NAME`, `context` (a repository or address), `contextsubdir`, `contextkey`, `dockerfilekey`, `multi-platform`, `memory`, `memswap`, `cpushares`, `cpuperiod`, `cpuquota`, `cpusetcpus`, `cpusetmems`, `cgroup-parent`, `requestid` (a question in place of a build: `frontend.lint`, `frontend.outline`, `frontend.targets`, `buildpack.detect`). */
  readonly options: Readonly<Record<string, string>>;
  /** Where results run; one result per platform. */
  readonly platforms: readonly Platform[];
  /** The platform the build itself runs on. */
  readonly buildPlatform: Platform;
  /** SOURCE_DATE_EPOCH in seconds, when the asking side set it. */
  readonly epoch?: number | undefined;
  /** How many frontends that are images have called each other to get here. */
  readonly depth?: number | undefined;
}

/** A source pinned: what it is and, for an image, its configuration. */
export interface Resolved {
  readonly source: SourceOp;
  /** Digest of the manifest (image) or lock (packages). */
  readonly digest?: Digest | undefined;
  /** The bytes of the image's config as they are. */
  readonly config?: Uint8Array | undefined;
  /** Seconds: of a git source the commit's time, of a web source Last-Modified where the server says it. */
  readonly time?: number | undefined;
}

/** A process step that failed, until the plan is made. */
export interface FailedProcess {
  readonly vertex: Vertex;
  /** Trees by the numbers of its inputs. */
  readonly inputs: readonly Ref[];
  /** Its root as it left it. */
  root(w?: Wait): Promise<Ref>;
  /** One of its op's own files, as `file` alone in a tree. */
  file(index: number, w?: Wait): Promise<Ref>;
}

/** A remark that does not stop the build. */
export interface Warning {
  readonly code: string;
  readonly message: string;
  readonly detail?: string | undefined;
  readonly url?: string | undefined;
  readonly place?: SourcePlace | undefined;
}

/** What a frontend may ask for while it plans: BuildKit's LLBBridge in our words. */
export interface FrontendHost {
  /** Pins a source. Throws `not_found`, `denied` or `unavailable` errors with the reference in the message. */
  resolve(source: SourceOp, w?: Wait): Promise<Resolved>;
  /** The same, but that there is no such source is an answer: undefined. */
  find(source: SourceOp, w?: Wait): Promise<Resolved | undefined>;
  solve(state: State, w?: Wait): Promise<Ref>;
  /** Throws `not_found`. Files only, at most 16 MiB. */
  read(ref: Ref, path: string, w?: Wait): Promise<Uint8Array>;
  list(ref: Ref, path: string, w?: Wait): Promise<readonly Entry[]>;
  stat(ref: Ref, path: string, w?: Wait): Promise<Entry | undefined>;
  /** The layers of a tree, the lowest first. */
  diffIds(ref: Ref, w?: Wait): Promise<readonly Digest[]>;
  /** Sets up a container on what was solved. Absent where there are none to be had. Throws as steps do that mount the same. */
  container?(request: ContainerRequest, w?: Wait): Promise<Container>;
  /** What a process step has left whose failure an error of this host tells of. Absent, and undefined, where nothing is kept of it. */
  failed?(error: unknown): FailedProcess | undefined;
  /** Work of the frontend's own, shown and timed as a step of that name; `say` adds a line to its log. */
  task<T>(name: string, work: (say: (line: string) => void) => Promise<T>): Promise<T>;
  /** A plan of another frontend, with inputs by name: trees, or images with their layers, config and history. */
  call(
    frontend: string,
    request: FrontendRequest,
    o?: { readonly inputs?: ReadonlyMap<string, State | PlannedImage> | undefined } & Wait,
  ): Promise<Plan>;
  input(name: string): State | undefined;
  /** What inputs there are. */
  inputNames?(): readonly string[];
  /** The image that an input is, where it is known: with its layers, config and history. */
  inputImage?(name: string): PlannedImage | undefined;
  warn(warning: Warning): void;
}

export type Frontend = (request: FrontendRequest, host: FrontendHost, w?: Wait) => Promise<Plan>;

/** os/arch[/variant], normalised. */
export type PlatformKey = string;

/** What a request comes to: results to be solved, or metadata only (lint, outline). */
export interface Plan {
  readonly results: ReadonlyMap<PlatformKey, PlannedImage>;
  /** Written once the results are, each to a place of its own: caches. That one cannot be written is a warning. */
  readonly companions?: readonly Companion[] | undefined;
  readonly metadata: ReadonlyMap<string, Uint8Array>;
}

/** An image that is kept beside the results. */
export interface Companion {
  readonly image: PlannedImage;
  /** `store`: the local store, where it is listed with no other images; `registry`: pushed there. */
  readonly to: 'store' | 'registry';
  readonly name: string;
}

export interface PlannedImage {
  readonly platform: Platform;
  /** In order, the base's first. Their number equals that of the non-empty entries of `config.history`. */
  readonly layers: readonly PlannedLayer[];
  /** The tree of the finished image, for file system outputs. */
  readonly root: State;
  /** `created`, `rootfs` and the times of new history entries are filled in by the engine; `history` holds the base's entries as they are, then the new ones. */
  readonly config: ImageConfig;
  /** How many of `config.history` come from the base. */
  readonly baseHistory: number;
  readonly attestations: readonly Attestation[];
}

export type PlannedLayer =
  /** All layers of an image source, as they are. */
  | { readonly kind: 'base'; readonly image: State }
  /** What a step changes, as one layer. */
  | { readonly kind: 'step'; readonly before: State; readonly after: State; readonly dialect: Dialect };

export interface Attestation {
  readonly predicateType: string;
  readonly predicate: Uint8Array;
}

export type { History };
