import type { Wait } from '../../../base/index.ts';
import type { Digest } from '../../../blob/index.ts';
import type { Dialect, Entry } from '../../../tree/index.ts';

/** A TOML table whose keys are a buildpack's own: kept as it is. */
export type Table = Readonly<Record<string, unknown>>;

/** `0.12`: major and minor of a Buildpack or Platform API. Compared with `compareApi`. */
export type ApiVersion = string;

export type ModuleKind = 'buildpack' | 'extension';

/** Names one version of a buildpack or extension. */
export interface ModuleId {
  readonly kind: ModuleKind;
  readonly id: string;
  readonly version: string;
}

/** What a buildpack.toml or extension.toml says (buildpack.md, buildpack.toml; image-extension.md). */
export interface ModuleDescriptor extends ModuleId {
  readonly api: ApiVersion;
  readonly name?: string | undefined;
  readonly homepage?: string | undefined;
  readonly description?: string | undefined;
  readonly keywords: readonly string[];
  readonly licenses: readonly { readonly type?: string | undefined; readonly uri?: string | undefined }[];
  /** User variables of the platform do not reach its environment. */
  readonly clearEnv: boolean;
  readonly sbomFormats: readonly string[];
  /** Empty or with `*`: any. Accepted both as `exec-env = [..]` and as `[[buildpack.exec-env]] name`. */
  readonly execEnv: readonly string[];
  /** Of a composite buildpack; empty for one that runs. */
  readonly order: Order;
  readonly targets: readonly Target[];
  /** Deprecated; `*` is any. */
  readonly stacks: readonly { readonly id: string; readonly mixins: readonly string[] }[];
  readonly metadata: Table;
}

/** Groups, the first that passes wins. */
export type Order = readonly Group[];
export type Group = readonly GroupEntry[];

export interface GroupEntry extends ModuleId {
  readonly optional: boolean;
  readonly execEnv: readonly string[];
}

/** Buildpacks put around every group (system.toml). */
export interface SystemBuildpacks {
  readonly pre: Group;
  readonly post: Group;
}

/** Empty strings are not said. */
export interface Distro {
  readonly name: string;
  readonly version: string;
}

/** What a module says it works on. Empty strings and lists stand for any. */
export interface Target {
  readonly os: string;
  readonly arch: string;
  readonly variant: string;
  readonly distros: readonly Distro[];
}

/** What a run image is. */
export interface ImageTarget {
  readonly os: string;
  readonly arch: string;
  readonly variant: string;
  readonly distro?: Distro | undefined;
  /** The label `io.buildpacks.base.id`. */
  readonly id?: string | undefined;
}

/** An element of the group that was detected (group.toml). */
export interface GroupElement extends ModuleId {
  readonly api: ApiVersion;
  readonly homepage?: string | undefined;
}

export interface Requirement {
  readonly name: string;
  readonly metadata: Table;
}

/** What one `bin/detect` wrote: its main plan, then each of `[[or]]`. */
export type DetectPlan = readonly { readonly provides: readonly string[]; readonly requires: readonly Requirement[] }[];

/** An entry of plan.toml. */
export interface PlanEntry {
  readonly providers: readonly ModuleId[];
  readonly requires: readonly Requirement[];
}

export interface Process {
  readonly type: string;
  /** As many words as were given; one for a string of Buildpack API < 0.9. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly direct: boolean;
  readonly isDefault: boolean;
  readonly workingDir: string;
  readonly buildpackId: string;
  readonly execEnv: readonly string[];
}

export interface Label {
  readonly key: string;
  readonly value: string;
}

export interface Slice {
  readonly paths: readonly string[];
}

/** launch.toml. */
export interface LaunchToml {
  readonly labels: readonly Label[];
  readonly processes: readonly Process[];
  readonly slices: readonly Slice[];
  /** The deprecated bill of materials. */
  readonly bom?: readonly Requirement[] | undefined;
}

/** build.toml. */
export interface BuildToml {
  readonly unmet: readonly string[];
  readonly bom?: readonly Requirement[] | undefined;
}

/** An entry of the deprecated bill of materials, with who gave it. */
export interface BomEntry extends Requirement {
  readonly buildpack: { readonly id: string; readonly version: string };
}

/** `<layer>.toml`, without what is only on disk. */
export interface LayerToml {
  readonly launch: boolean;
  readonly build: boolean;
  readonly cache: boolean;
  readonly metadata: Table;
  /** Execution environments that the layer is for; empty: any. */
  readonly execEnv: readonly string[];
}

/** metadata.toml: what the launcher reads, and the exporter. */
export interface BuildMetadata {
  readonly buildpacks: readonly GroupElement[];
  readonly extensions: readonly GroupElement[];
  /** Sorted by type, one for each. */
  readonly processes: readonly Process[];
  readonly slices: readonly Slice[];
  readonly labels: readonly Label[];
  readonly defaultProcess?: string | undefined;
  /** Written with a Platform API below 0.9 only. */
  readonly bom?: readonly BomEntry[] | undefined;
}

export interface RunImage {
  readonly image: string;
  readonly mirrors: readonly string[];
}

/** A layer of a buildpack in `io.buildpacks.lifecycle.metadata`, and in the metadata of a cache. */
export interface LayerMetadata {
  readonly sha: string;
  readonly data?: Table | undefined;
  readonly build: boolean;
  readonly launch: boolean;
  readonly cache: boolean;
}

export interface BuildpackLayersMetadata {
  readonly key: string;
  readonly version: string;
  readonly layers: Readonly<Record<string, LayerMetadata>>;
  readonly store?: { readonly metadata: Table } | undefined;
}

/** The label `io.buildpacks.lifecycle.metadata`. A digest that is not said is an empty string. */
export interface LifecycleMetadata {
  readonly app: readonly { readonly sha: string }[];
  readonly sbom?: { readonly sha: string } | undefined;
  readonly buildpacks: readonly BuildpackLayersMetadata[];
  readonly config: { readonly sha: string };
  /** Written by the specification; the lifecycle uses the label `io.buildpacks.exec-env`. */
  readonly execEnv?: string | undefined;
  readonly launcher: { readonly sha: string };
  readonly processTypes: { readonly sha: string };
  readonly runImage: {
    readonly topLayer: string;
    readonly reference: string;
    readonly image?: string | undefined;
    readonly mirrors?: readonly string[] | undefined;
  };
  readonly stack?: { readonly runImage: RunImage } | undefined;
}

/** The label `io.buildpacks.lifecycle.cache.metadata`. */
export interface CacheMetadata {
  readonly sbom?: { readonly sha: string } | undefined;
  readonly buildpacks: readonly BuildpackLayersMetadata[];
}

/** A folder tree that is read, wherever it is: a state that was solved, or this machine's own. Paths are absolute. */
export interface Files {
  /** Links are followed. Undefined where there is no file. Throws for one above 16 MiB. */
  read(path: string, w?: Wait): Promise<Uint8Array | undefined>;
  /** What lies in a folder, sorted by name; entry paths are relative to the tree's root. Empty where there is no folder. */
  list(path: string, w?: Wait): Promise<readonly Entry[]>;
  /** Not followed where it is a link. */
  stat(path: string, w?: Wait): Promise<Entry | undefined>;
}

/** What a `bin/detect` came to: its exit code, what it wrote (both streams, as they came), and its plan as text, if it left one. */
export interface DetectRun {
  readonly code: number;
  readonly output: Uint8Array;
  readonly plan?: string | undefined;
}

/** A layer of a buildpack after its `bin/build`: what `<layer>.toml` says, and whether there is a folder. */
export interface BuiltLayer {
  readonly name: string;
  readonly toml: LayerToml;
  readonly hasFolder: boolean;
}

/** An SBOM file that a buildpack wrote, and the path that it is copied to: `<layers>/sbom/{launch,build,cache}/…`. */
export interface SbomFile {
  readonly from: string;
  readonly to: string;
}

/** All that a `bin/build` left. */
export interface BuiltBuildpack {
  readonly element: GroupElement;
  /** By name. */
  readonly layers: readonly BuiltLayer[];
  readonly launch: LaunchToml;
  readonly unmet: readonly string[];
  readonly store?: Table | undefined;
  /** Names of its plan that it met. */
  readonly met?: readonly string[] | undefined;
  /** Layers of no type that have a folder: it is renamed to `<layer>.ignore`. */
  readonly ignored?: readonly string[] | undefined;
  readonly sbom?: readonly SbomFile[] | undefined;
  /** The deprecated bill of materials of build.toml. */
  readonly buildBom?: readonly Requirement[] | undefined;
  readonly warnings?: readonly string[] | undefined;
}

/** What one layer of an app image holds, before anybody knows its digest: entries of the built tree under their own paths. */
export interface LayerPlan {
  /** `<id>:<layer>`, `sbom`, `app:0`, `launcher`, `config`, `process-types`. */
  readonly key: string;
  /** `created_by` of its history entry. */
  readonly createdBy: string;
  /** None where `reuse` is given, and in the layer of a slice that matched nothing: a layer without entries. */
  readonly content: readonly LayerContent[];
  readonly dialect: Dialect;
  /** The layer of the previous image that this one is, where the folder is not there. */
  readonly reuse?: Digest | undefined;
}

export type LayerContent =
  /** The folders above `path` but the root, with mode and owner as they are in the tree. */
  | { readonly kind: 'parents'; readonly path: string }
  /** `path` with all that is below it (but `except`, each with all below it), given to an owner. Links are not followed. */
  | {
      readonly kind: 'tree';
      readonly path: string;
      readonly uid: number;
      readonly gid: number;
      readonly except?: readonly string[] | undefined;
    }
  /** `path` alone, a folder without what is in it. */
  | { readonly kind: 'entry'; readonly path: string; readonly uid: number; readonly gid: number }
  | {
      readonly kind: 'folder';
      readonly path: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  /** The launcher's program: 0755, 0:0. */
  | { readonly kind: 'launcher'; readonly path: string }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
      readonly content: string;
    }
  | {
      readonly kind: 'link';
      readonly path: string;
      readonly target: string;
      /** 0755 for process types: the lifecycle says so, though no file system keeps it. */
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    };
