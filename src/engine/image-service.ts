import type { Wait } from '../base/index.ts';
import type { Descriptor, Digest, Platform } from '../blob/index.ts';
import type { ImageConfig } from '../image/index.ts';
import type { BuildHost, ByteSink } from '../worker/index.ts';
import type { Compression } from './compression.ts';

/** An image of the local store. */
export interface ImageSummary {
  /** Familiar names; empty for an image without any. */
  readonly names: readonly string[];
  /** Digest of the config. */
  readonly id: Digest;
  /** Digest of the manifest it was pulled or loaded with; absent for one built here that was never written anywhere. */
  readonly manifestDigest?: Digest | undefined;
  readonly platform: Platform;
  /** Milliseconds since the epoch: `created` of the config; undefined when it says none. */
  readonly createdAt?: number | undefined;
  /** Bytes of all layers, uncompressed where they lie here so, else compressed. */
  readonly size: number;
}

export interface ImageDetails extends ImageSummary {
  readonly config: ImageConfig;
  readonly layers: readonly {
    readonly diffId: Digest;
    readonly size?: number | undefined;
    readonly compressed?: Descriptor | undefined;
  }[];
  readonly manifest?: unknown;
}

/** Progress of moving images: one item per blob. */
export interface TransferProgress {
  readonly item: string;
  readonly current: number;
  readonly total?: number | undefined;
  /** Set when the item is over: how it got there. */
  readonly done?: 'moved' | 'exists' | 'mounted' | undefined;
}

export interface TransferOptions extends Wait {
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
  /** Where credentials come from. */
  readonly host: Pick<BuildHost, 'credentials'>;
}

/** Where an image lies or goes: `store:NAME` (or a bare name), `docker://REF`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:REF]`. */
export type Location = string;

export interface RebaseOptions extends TransferOptions {
  /** The app image, where it is not the target's own. */
  readonly previous?: string | undefined;
  /** Absent: the one that the app's label names, or one of its mirrors. */
  readonly runImage?: string | undefined;
  /** In registries alone: the app image is read there and the result pushed; the store is not touched. */
  readonly publish?: boolean | undefined;
  /** Also onto a run image that the app does not say it fits. */
  readonly force?: boolean | undefined;
  /** How a run image comes into the store; by default `always`. */
  readonly pull?: 'always' | 'missing' | 'never' | undefined;
}

export interface RebaseResult {
  /** Absent for an index that was pushed; of several platforms of the store that of the first. */
  readonly imageId?: Digest | undefined;
  /** What was pushed. */
  readonly manifest?: Descriptor | undefined;
  /** The name of the run image that it lies on now. */
  readonly runImage: string;
  readonly warnings: readonly string[];
}

export interface ImageService {
  list(w?: Wait): Promise<readonly ImageSummary[]>;
  /** By name, image ID, unique prefix of an ID, or manifest digest. Throws `IMAGE_NOT_FOUND` with what is near. */
  /** Of an image of several platforms that of `platform`, or best of this machine. */
  inspect(name: string, o?: { readonly platform?: Platform | undefined } & Wait): Promise<ImageDetails>;
  tag(source: string, target: string, w?: Wait): Promise<void>;
  /** Takes names away; the image itself when the last one is gone or an ID was given. Says what was untagged and deleted. */
  remove(
    name: string,
    o?: { force?: boolean } & Wait,
  ): Promise<{ readonly untagged: readonly string[]; readonly deleted: readonly Digest[] }>;
  pull(
    reference: string,
    o: { platform?: Platform | undefined; insecure?: boolean | undefined } & TransferOptions,
  ): Promise<ImageDetails>;
  /** Gives the descriptor of the manifest (or index) that was pushed. */
  push(
    name: string,
    target: string,
    o: { insecure?: boolean | undefined; compression?: Compression | undefined } & TransferOptions,
  ): Promise<Descriptor>;
  /** Writes images as one archive. */
  save(
    names: readonly string[],
    sink: ByteSink,
    o: {
      format: 'oci' | 'docker';
      compression?: Compression | undefined;
      /** For layers that are still in their registry. */
      host?: Pick<BuildHost, 'credentials'> | undefined;
    } & Wait,
  ): Promise<void>;
  /** Reads an archive or layout at a path into the store; gives what it brought. */
  load(path: string, w?: Wait): Promise<readonly ImageSummary[]>;
  /** Puts an app image that buildpacks built on another run image, all platforms of it (platform.md, rebaser). Throws `CNB_REBASE_FAILED`, `REBASE_NO_RUN_IMAGE`. */
  rebase(target: string, o: RebaseOptions): Promise<RebaseResult>;
  /** From anywhere to anywhere, not touching the store where neither side is it; all platforms of an index unless one is named. */
  copy(
    from: Location,
    to: Location,
    o: { platform?: Platform | undefined; insecure?: boolean | undefined } & TransferOptions,
  ): Promise<Descriptor>;
}
