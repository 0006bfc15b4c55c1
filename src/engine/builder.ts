import type { SourcePlace, Wait } from '../base/index.ts';
import type { Descriptor, Digest, Platform } from '../blob/index.ts';
import type { Warning } from '../frontend/index.ts';
import type { SourcePolicy } from '../graph/index.ts';
import type { CacheVerdict, Cause, Project, StepProgress } from '../solve/index.ts';
import type { BuildHost } from '../worker/index.ts';
import type { CacheExport, CacheImport } from './cache/types.ts';
import type { Compression } from './compression.ts';

/** One build, as plain data. */
export interface BuildRequest {
  /** `dockerfile` in this version. */
  readonly frontend: string;
  /** The frontend's options, by BuildKit's names (see `FrontendRequest.options`); `attest:provenance` and `attest:sbom` are for the engine: what is to be said about the images. */
  readonly options: Readonly<Record<string, string>>;
  /** What provenance tells of the request, where that is not `frontend` and `options`: what a client asked of somebody who asks the engine. */
  readonly told?: { readonly frontend: string; readonly options: Readonly<Record<string, string>> } | undefined;
  /** Empty: this machine's. */
  readonly platforms: readonly Platform[];
  readonly exports: readonly ExportRequest[];
  /** Entitlements granted: `network.host`, `security.insecure`. */
  readonly allow: readonly string[];
  readonly epoch?: number | undefined;
  readonly noCache?: boolean | undefined;
  /** Requests with the same word here run steps anew together: one of them runs what they share, the others take it. */
  readonly anew?: string | undefined;
  /** What all steps put on the base becomes one layer. */
  readonly squash?: boolean | undefined;
  /** Absolute paths that no new layer holds, with all that is below them. */
  readonly leaveOut?: readonly string[] | undefined;
  /** Caches elsewhere to look steps up in, the first one first. One that cannot be read is left out with a warning. */
  readonly cacheFrom?: readonly CacheImport[] | undefined;
  readonly cacheTo?: readonly CacheExport[] | undefined;
  /** What `input:NAME` means among the options. Its steps are this build's; one that another build runs at the same time is waited for, not run again. */
  readonly inputs?: Readonly<Record<string, BuildInput>> | undefined;
  /** What its sources may be, and what becomes of them. */
  readonly sourcePolicies?: readonly SourcePolicy[] | undefined;
  /** What this is a build of: it is put on record and compared with the one before of the same. Absent: neither. No secrets. */
  readonly project?: Project | undefined;
}

/** A build whose result is a tree to another one. What it reads of the asking side goes by names of its own: `contextkey`, `dockerfilekey` and `context:NAME` among its options say them. */
export interface BuildInput {
  readonly frontend: string;
  readonly options: Readonly<Record<string, string>>;
  /** Empty: this machine's. */
  readonly platforms: readonly Platform[];
  readonly inputs?: Readonly<Record<string, BuildInput>> | undefined;
}

export type ExportRequest =
  /** The local store, under these names. */
  | {
      readonly type: 'store';
      readonly names: readonly string[];
      /** Also say what its manifest is, as it will be where it is pushed to. Without it nothing is compressed. */
      readonly describe?:
        | { readonly compression?: Compression | undefined; readonly docker?: boolean | undefined }
        | undefined;
    }
  | {
      readonly type: 'registry';
      readonly names: readonly string[];
      readonly insecure?: boolean | undefined;
      /** Only by its digest: the names are of repositories, and get no tag. */
      readonly byDigest?: boolean | undefined;
      readonly compression?: Compression | undefined;
      readonly docker?: boolean | undefined;
      /** A registry's word that a tag is there and may not change is no failure. */
      readonly acceptImmutable?: boolean | undefined;
      /** What is said about an image lies beside it as an OCI artifact with a subject, not as an image with a config. */
      readonly artifact?: boolean | undefined;
    }
  /** An archive to the sink, or (`tar: false`) a layout folder. */
  | {
      readonly type: 'oci' | 'docker';
      readonly sink: string;
      readonly tar: boolean;
      readonly names: readonly string[];
      readonly compression?: Compression | undefined;
      /** Docker's media types, or not; absent: as the archive's format has them. */
      readonly docker?: boolean | undefined;
      readonly artifact?: boolean | undefined;
      /** Statements that are for images only (`inline-only`) are reason enough for an index, too. */
      readonly inline?: boolean | undefined;
    }
  /** A Docker or Podman daemon by its socket. */
  | { readonly type: 'docker-daemon'; readonly names: readonly string[]; readonly socket?: string | undefined }
  /** containerd's image store. */
  | {
      readonly type: 'containerd';
      readonly names: readonly string[];
      /** Of its socket; /run/containerd/containerd.sock by default. */
      readonly address?: string | undefined;
      /** `default` by default; `k8s.io` is Kubernetes'. */
      readonly namespace?: string | undefined;
      /** Also unpacked for this machine, by this snapshotter of containerd's (`overlayfs` by default). */
      readonly unpack?: boolean | undefined;
      readonly snapshotter?: string | undefined;
      readonly compression?: Compression | undefined;
      readonly docker?: boolean | undefined;
    }
  /** The root file system as a folder or a tar; what is said about it in files beside it, their names after `attestationPrefix`. */
  | {
      readonly type: 'local' | 'tar';
      readonly sink: string;
      readonly attestationPrefix?: string | undefined;
      /** Each platform in a folder of its own; absent: where there are several. */
      readonly split?: boolean | undefined;
    };

/** Common to all image exports. */
export interface ImageMetadata {
  readonly annotations: readonly {
    readonly level: 'manifest' | 'index' | 'manifest-descriptor' | 'index-descriptor';
    readonly key: string;
    readonly value: string;
    /** Only of the image for this platform. */
    readonly platform?: Platform | undefined;
  }[];
  /** Clamp times in new layers to the epoch; on by default when an epoch is set. */
  readonly rewriteTimestamp?: boolean | undefined;
}

/** What a build came to. `imageId` is the digest of the config. */
export interface BuildResult {
  readonly images: readonly {
    readonly platform: Platform;
    readonly imageId: Digest;
    /** What is said about it: in-toto predicates as JSON. */
    readonly statements?: readonly { readonly predicateType: string; readonly predicate: Uint8Array }[] | undefined;
    /** The manifest of each target that was written, by export index. */
    readonly manifests: readonly {
      readonly export: number;
      readonly descriptor: Descriptor;
      readonly names: readonly string[];
    }[];
  }[];
  /** For `--metadata-file`, by BuildKit's key names. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Which ground the steps of a build ran on and what it could not offer. */
export interface GroundReport {
  readonly snapshotter: string;
  readonly executor: string;
  readonly lacks: readonly string[];
}

/**
 * The story of a build, in order. `id` is the digest of a vertex, or a name of the engine's own for work that is no vertex (exporting). Times are milliseconds since the epoch. `--progress=json` prints these, one a line, bytes as
 * base64.
 */
export type BuildEvent =
  | {
      readonly kind: 'vertex';
      readonly id: string;
      readonly name: string;
      readonly inputs: readonly string[];
      readonly group?: string | undefined;
      readonly internal?: boolean | undefined;
      readonly place?: SourcePlace | undefined;
    }
  | {
      readonly kind: 'started';
      readonly id: string;
      readonly at: number;
      /** Why it runs: what is other than in the build before of this project, the root cause first. */
      readonly miss?: readonly Cause[] | undefined;
    }
  | { readonly kind: 'cached'; readonly id: string; readonly at: number; readonly verdict: CacheVerdict }
  | {
      readonly kind: 'log';
      readonly id: string;
      readonly at: number;
      readonly stream: 'stdout' | 'stderr';
      readonly chunk: Uint8Array;
    }
  | { readonly kind: 'progress'; readonly id: string; readonly at: number; readonly progress: StepProgress }
  | { readonly kind: 'note'; readonly id: string; readonly at: number; readonly text: string }
  | {
      readonly kind: 'completed';
      readonly id: string;
      readonly at: number;
      readonly error?: string | undefined;
      readonly cancelled?: boolean | undefined;
    }
  | { readonly kind: 'warning'; readonly at: number; readonly warning: Warning }
  | { readonly kind: 'ground'; readonly at: number; readonly ground: GroundReport }
  | { readonly kind: 'result'; readonly at: number; readonly result: BuildResult };

/**
 * Builds: in process, over the wire, or as a pod. The stream ends after `result`; a failed build throws its CodedError after the events that led there, with the failed step's vertex `completed` with an error.
 */
export interface Builder {
  build(request: BuildRequest & ImageMetadata, host: BuildHost, w?: Wait): AsyncIterable<BuildEvent>;
}
