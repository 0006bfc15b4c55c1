import type { Wait } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import type { Frontend } from '../frontend/index.ts';
import type { BuildSummary, ExplainedBuild } from '../solve/index.ts';
import type { BuildHost } from '../worker/index.ts';
import type { BuildEvent, BuildRequest, Builder, GroundReport, ImageMetadata } from './builder.ts';
import type { CompareOptions, ImageDifference } from './compare.ts';
import type { ContainerRoot, ContainerRootOptions } from './container-root.ts';
import type { ImageDetails, ImageService, Location, TransferOptions } from './image-service.ts';
import type { Workshop } from './workshop.ts';
import type { StoreRecord } from './store-records.ts';

/** The engine in process: builds, and the local store of images with all that is done to it. Close it: it holds the store open and, if a step ran, the ground. */
export interface Engine extends Builder, AsyncDisposable {
  /** A build whose plan a frontend given here makes, rather than one known by its name: a client that steers a build from outside. `request.frontend` is the name it goes by. */
  drive(
    frontend: Frontend,
    request: BuildRequest & ImageMetadata,
    host: BuildHost,
    w?: Wait,
  ): AsyncIterable<BuildEvent>;
  readonly images: ImageService;
  readonly bases: BaseService;
  readonly store: StoreService;
  readonly builds: BuildRecords;
  /** Opens the best ground there is here and says what it is (what a RUN would get). */
  ground(w?: Wait): Promise<GroundReport>;
  /** The tree of an image of the local store as the root of a container. */
  root(image: string, o: ContainerRootOptions): Promise<ContainerRoot>;
  /** Gives up what a container root has kept under a name. */
  dropRoot(name: string, w?: Wait): Promise<void>;
  /** Where images are put together from others, with no step run. */
  workshop(o: Omit<TransferOptions, 'signal'>): Promise<Workshop>;
  /** What differs between two images, wherever they lie, or plain trees of files (`dir:FOLDER`, a folder, a tar of one). */
  compare(a: Location, b: Location, o: CompareOptions): AsyncIterable<ImageDifference>;
}

export interface BaseSummary {
  readonly reference: string;
  readonly lock: Digest;
  readonly packages: number;
  readonly createdAt: number;
}

/** Bases made of distribution packages. */
export interface BaseService {
  list(w?: Wait): Promise<readonly BaseSummary[]>;
  /** Makes (or finds) the base and names it in the store. `packages` adds to the variant's; `lock` fixes everything. */
  create(
    reference: string,
    o: {
      packages?: readonly string[] | undefined;
      /** The text of a lock file. */
      lock?: string | undefined;
      name?: string | undefined;
      refresh?: boolean | undefined;
      onLog?: ((line: string) => void) | undefined;
    } & TransferOptions,
  ): Promise<ImageDetails>;
  /** The lock of a base that was made or resolved here, as the text of a lock file. */
  lock(reference: string, w?: Wait): Promise<string>;
}

/** The last builds of each project: what their steps were taken from, or why they ran. */
export interface BuildRecords {
  /** The latest first. */
  list(): Promise<readonly BuildSummary[]>;
  /** Undefined for one that is not on record. */
  explain(id: number): Promise<ExplainedBuild | undefined>;
}

export interface PruneOptions extends Wait {
  /** Milliseconds since last use; results used later are kept. */
  readonly olderThan?: number | undefined;
  /** Bytes the store may keep; the least recently used go first. */
  readonly keepBytes?: number | undefined;
  /** Also images without a name. */
  readonly danglingImages?: boolean | undefined;
  /** Everything that no named image needs. */
  readonly all?: boolean | undefined;
  /** Only records that this takes, by BuildKit's rules: one goes where both its age and the size ask for it, and `keepBytes` is about all that no image needs. Images stay. */
  readonly fits?: ((record: StoreRecord) => boolean) | undefined;
  readonly dryRun?: boolean | undefined;
}

export interface PruneReport {
  readonly results: number;
  readonly blobs: number;
  readonly snapshots: number;
  /** Mirrors of git repositories. */
  readonly repositories: number;
  readonly images: readonly Digest[];
  /** Cache mounts of RUN lines, by their ids. */
  readonly caches: readonly { readonly id: string; readonly bytes: number; readonly usedAt: number }[];
  /** What was given up, where records were asked for. */
  readonly records?: readonly StoreRecord[] | undefined;
  /** Bytes given back. */
  readonly bytes: number;
}

export interface StoreProblem {
  readonly what: string;
  readonly problem: string;
}

export interface StoreService {
  readonly folder: string;
  prune(o: PruneOptions): Promise<PruneReport>;
  usage(w?: Wait): Promise<{
    readonly blobs: number;
    readonly blobBytes: number;
    readonly snapshots: number;
    readonly snapshotBytes: number;
    readonly repositories: number;
    readonly repositoryBytes: number;
    readonly caches: number;
    readonly cacheBytes: number;
    readonly images: number;
  }>;
  /** What it holds, one by one. */
  records(w?: Wait): Promise<readonly StoreRecord[]>;
  /** Reads every blob, layer, image and snapshot record; yields what is wrong. */
  check(o?: { onProgress?: (done: number, total: number) => void } & Wait): AsyncIterable<StoreProblem>;
}
