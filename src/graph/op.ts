import type { Digest, Platform } from '../blob/index.ts';

/**
 * A step, as data. Everything here is part of the step's identity, so nothing here may depend on when, where or by whom it is run.
 * Its inputs (see `Vertex`) are numbered; ops refer to them by number.
 */
export type Op = SourceOp | ExecOp | FileOp | MergeOp | DiffOp | PackOp;

export interface SourceOp {
  readonly kind: 'source';
  readonly source: Source;
}

export type Source =
  | ImageSource
  | LocalSource
  | ArchiveSource
  | PackagesSource
  | GitSource
  | HttpSource
  | LayoutSource
  | ScratchSource;

/** An image of a registry or of the local store. The key is the digest of its manifest for `platform`. */
export interface ImageSource {
  readonly type: 'image';
  /** Canonical: host/repository:tag, host/repository@digest, or both. */
  readonly reference: string;
  readonly platform: Platform;
  /** `missing`: the local store first; `always`: ask the registry; `never`: the local store only. */
  readonly pull: 'missing' | 'always' | 'never';
  /** Only this layer of it, by its diffID. */
  readonly layer?: Digest | undefined;
  /** Only so many of its layers, the lowest. */
  readonly layerLimit?: number | undefined;
}

/** Files that the asking side offers under `name` (`BuildHost.files`). The key is their content. */
export interface LocalSource {
  readonly type: 'local';
  readonly name: string;
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
  readonly follow?: readonly string[] | undefined;
}

/** A tar archive, compressed or not, that the asking side offers as a blob, unpacked as a tree. */
export interface ArchiveSource {
  readonly type: 'archive';
  readonly store: string;
  readonly digest: Digest;
  readonly size: number;
}

/** A base made of distribution packages: `packages.local/debian:<suite>[-variant]` or a named one of strake.toml. The key is the digest of its lock file. */
export interface PackagesSource {
  readonly type: 'packages';
  readonly reference: string;
  readonly platform: Platform;
  /** `always`: ask the mirror what it consists of now, also where that is known. Only until it is resolved. */
  readonly pull?: 'missing' | 'always' | 'never' | undefined;
  /** Digest of the lock, once resolved. */
  readonly lock?: Digest | undefined;
}

/** The files of a git repository at a commit. Who may read it is asked of the asking side: secrets GIT_AUTH_TOKEN[.host] and GIT_AUTH_HEADER[.host], the ssh agent "default". */
export interface GitSource {
  readonly type: 'git';
  /** The remote, without fragment and query; may be `user@host:path`. */
  readonly url: string;
  /** All of the commit's digest, once resolved. */
  readonly commit?: string | undefined;
  /** Branch, tag, full reference or commit; absent: the remote's HEAD. */
  readonly ref?: string | undefined;
  /** Only this folder, as the root. */
  readonly subdir?: string | undefined;
  readonly keepGitDir?: boolean | undefined;
  /** How the digest of the commit, or of the tag that led to it, must begin. */
  readonly checksum?: string | undefined;
  /** False: submodules are left out. */
  readonly submodules?: boolean | undefined;
  /** Times of the files: the commit's (absent too), so that a commit is always the same bytes, or when they were checked out. */
  readonly mtime?: 'checkout' | 'commit' | undefined;
  /** `checksum` is the commit: fetched by itself, not compared with what `ref` names. */
  readonly fetchByCommit?: boolean | undefined;
  /** Ids of other secrets than GIT_AUTH_TOKEN and GIT_AUTH_HEADER; none where a member is absent. */
  readonly auth?: { readonly token?: string | undefined; readonly header?: string | undefined } | undefined;
  /** Another ssh agent than "default". */
  readonly agent?: string | undefined;
  /** Lines of a known_hosts file: only these servers are trusted. */
  readonly knownHosts?: string | undefined;
}

/** A file of the web, alone at the root of its tree, 0:0, its time that of Last-Modified. */
export interface HttpSource {
  readonly type: 'http';
  readonly url: string;
  readonly checksum?: Digest | undefined;
  /** Its name in the tree; absent: as the server says, or the last part of the URL's path. */
  readonly filename?: string | undefined;
  /** Absent: 0600. */
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** `Accept` and `User-Agent` alone, sorted by name. */
  readonly headers?: readonly { readonly name: string; readonly value: string }[] | undefined;
  /** Id of the secret that is the value of the Authorization header, in place of those named after the host. */
  readonly authSecret?: string | undefined;
}

/** An image in an OCI layout that the asking side offers as a blob store. */
export interface LayoutSource {
  readonly type: 'oci-layout';
  readonly store: string;
  readonly digest: Digest;
  readonly platform: Platform;
  /** Only so many of its layers, the lowest. */
  readonly layerLimit?: number | undefined;
}

/** The empty tree. */
export interface ScratchSource {
  readonly type: 'scratch';
}

/** A process in a root. Output 0 is the root after it ran. */
export interface ExecOp {
  readonly kind: 'exec';
  readonly args: readonly string[];
  /** `NAME=value`, in order; a later one wins. */
  readonly env: readonly string[];
  readonly cwd: string;
  /** `user[:group]`, names or numbers, looked up in the root; "" is 0:0. */
  readonly user: string;
  readonly mounts: readonly OpMount[];
  readonly network: 'default' | 'none' | 'host';
  readonly security: 'sandbox' | 'insecure';
  readonly hostname?: string | undefined;
  readonly extraHosts?: readonly { readonly host: string; readonly ip: string }[] | undefined;
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[] | undefined;
  /** Bytes of /dev/shm; 64 MiB by default. */
  readonly shmSize?: number | undefined;
  /** Limits of the step's control group. Part of how it is run, not of what comes out: `keyOf` drops the field, and `cgroupParent`. */
  readonly resources?: Resources | undefined;
  readonly cgroupParent?: string | undefined;
  /** Content of files given to the step read-only under their path, outside its root (heredoc scripts). */
  readonly files?: readonly { readonly path: string; readonly content: string; readonly mode: number }[] | undefined;
  /** Proxy variables: given to the process, left out of the key (`keyOf` drops the field). */
  readonly proxyEnv?: readonly string[] | undefined;
  readonly platform: Platform;
  /** Refused where nothing keeps the process from the machine and from other steps. */
  readonly isolated?: boolean | undefined;
  /** How the process ends is a result, not a failure. */
  readonly capture?: Capture | undefined;
  /** Exit codes that are no failure; absent: 0 alone. */
  readonly exitCodes?: readonly number[] | undefined;
}

/** Output `output` becomes a tree with `/status` (the exit code in decimal) and `/output` (what the process wrote to both streams, at most 4 MiB of it). Codes that `keep` does not name are never kept on record. */
export interface Capture {
  readonly output: number;
  readonly keep: readonly number[];
}

/** What a step may take of the machine, by the names and units of BuildKit's LinuxResources. All above zero, but `memorySwap`, where -1 is without a limit. */
export interface Resources {
  /** Bytes. */
  readonly memory?: number | undefined;
  /** Bytes of memory and swap together. */
  readonly memorySwap?: number | undefined;
  readonly cpuShares?: number | undefined;
  /** Microseconds. */
  readonly cpuPeriod?: number | undefined;
  readonly cpuQuota?: number | undefined;
  /** As "0-2,7". */
  readonly cpusetCpus?: string | undefined;
  readonly cpusetMems?: string | undefined;
}

export type OpMount =
  | {
      readonly type: 'bind';
      readonly target: string;
      readonly input: number;
      /** A path in the input, "/" by default. */
      readonly source?: string | undefined;
      readonly readonly: boolean;
      /** Number of the output that what is written here becomes; absent: thrown away. The mount at "/" has output 0. */
      readonly output?: number | undefined;
      /** Whether the step's key has the input's content, where that is not as usual; `on` for what is not written to, or not kept. */
      readonly contentKey?: 'on' | 'off' | undefined;
    }
  | {
      readonly type: 'cache';
      readonly target: string;
      readonly id: string;
      readonly sharing: 'shared' | 'private' | 'locked';
      /** What the cache holds at first; absent: an empty folder with this mode and owner. */
      readonly input?: number | undefined;
      readonly source?: string | undefined;
      readonly readonly: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | { readonly type: 'tmpfs'; readonly target: string; readonly size?: number | undefined }
  /** A file, a variable, or (both given) both. */
  | {
      readonly type: 'secret';
      readonly target?: string | undefined;
      readonly env?: string | undefined;
      readonly id: string;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  /** The socket of a forwarded agent; SSH_AUTH_SOCK is in the op's `env` already. */
  | {
      readonly type: 'ssh';
      readonly target: string;
      readonly id: string;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    };

/** Changes to a tree without running anything in it: actions applied in order to input 0. Output 0 is the tree after them. */
export interface FileOp {
  readonly kind: 'file';
  readonly actions: readonly FileAction[];
  /** How the bytes of the layer are made (tree's `Dialect`); absent: `oci`. */
  readonly dialect?: 'oci' | 'lifecycle' | 'lifecycle-slice' | undefined;
}

/** An owner, by number or by a name looked up in the passwd and group files of input 0, or of `userInput` and `groupInput`. Absent members: 0, or kept from the source where the action says so. */
export interface Owner {
  readonly user: number | string;
  readonly group?: number | string | undefined;
  readonly userInput?: number | undefined;
  readonly groupInput?: number | undefined;
}

export type FileAction = MkdirAction | MkfileAction | RemoveAction | SymlinkAction | CopyAction | PickAction;

export interface MkdirAction {
  readonly kind: 'mkdir';
  /** Absolute. */
  readonly path: string;
  readonly mode: number;
  readonly parents: boolean;
  readonly owner?: Owner | undefined;
  /** Modification time in seconds; absent: when it is made. */
  readonly mtime?: number | undefined;
  /** Nanoseconds of it. */
  readonly mtimeNs?: number | undefined;
}

export interface MkfileAction {
  readonly kind: 'mkfile';
  readonly path: string;
  readonly mode: number;
  readonly content: string;
  /** How `content` is written; absent: UTF-8. */
  readonly encoding?: 'base64' | undefined;
  readonly owner?: Owner | undefined;
  readonly mtime?: number | undefined;
  readonly mtimeNs?: number | undefined;
}

export interface SymlinkAction {
  readonly kind: 'symlink';
  readonly path: string;
  readonly target: string;
  /** Absent: 0777, as every link has on a disk. Another one is what the layer says of it. */
  readonly mode?: number | undefined;
  readonly owner?: Owner | undefined;
  readonly mtime?: number | undefined;
  readonly mtimeNs?: number | undefined;
}

export interface RemoveAction {
  readonly kind: 'remove';
  readonly path: string;
  readonly wildcard: boolean;
  readonly missingOk: boolean;
}

/** Where the files of a copy come from: another input, or text that the plan holds. */
export type CopyFrom =
  | { readonly input: number }
  | { readonly files: readonly { readonly name: string; readonly content: string; readonly mode: number }[] };

/** Copies as Dockerfile's COPY and ADD do. */
export interface CopyAction {
  readonly kind: 'copy';
  readonly from: CopyFrom;
  /** Cleaned, rooted at the input's root; with `parents` one "/./" may be left as the pivot, and "**" stands for folders at any depth. */
  readonly sources: readonly string[];
  /** Absolute; a trailing "/" means a folder. */
  readonly destination: string;
  /** Sources may hold Go `filepath.Match` wildcards. */
  readonly wildcard: boolean;
  /** Absent: keep the source's ids. */
  readonly owner?: Owner | undefined;
  /** Octal bits, or a symbolic mode such as `u=rw,go-w`. */
  readonly mode?: number | string | undefined;
  /** Keep the source's path below the destination (from the `/./` pivot on). */
  readonly parents: boolean;
  readonly exclude?: readonly string[] | undefined;
  /** Unpack sources that are tar archives, by content. */
  readonly unpack: boolean;
  /** Destination symlinks are followed inside the root (always, but for --link). */
  readonly followDestination: boolean;
  /** Modification time in seconds given to all that is copied; absent: kept. */
  readonly mtime?: number | undefined;
  readonly mtimeNs?: number | undefined;
  /** Patterns about what is below a source: only what matches is copied. Not with `parents`. */
  readonly include?: readonly string[] | undefined;
  /** Paths below a source that must be there. */
  readonly required?: readonly string[] | undefined;
  /** False: a source that is a link is copied as one. */
  readonly followSource?: false | undefined;
  /** A source folder goes into a destination that is there, as `cp -r` has it; absent: what is in it does. */
  readonly folderItself?: true | undefined;
  /** False: the folder of the destination must be there. */
  readonly makeFolders?: false | undefined;
  /** False: a wildcard that nothing matches is an error. */
  readonly emptyWildcard?: false | undefined;
  /** What is copied takes the place of what is there, also where one is a folder and the other is not. */
  readonly replace?: true | undefined;
}

/** Entries of an input under their own paths, as they are but for the owner: what is to be a layer of its own. Links are not followed. */
export interface PickAction {
  readonly kind: 'pick';
  readonly from: { readonly input: number };
  /** Absolute: each with all that is below it. */
  readonly trees: readonly string[];
  /** Absolute: each alone. */
  readonly entries: readonly string[];
  /** Absolute: left out of `trees`, with all that is below. */
  readonly except?: readonly string[] | undefined;
  readonly owner?: Owner | undefined;
}

/** All inputs laid over each other, the last on top, keeping each one's layers. */
export interface MergeOp {
  readonly kind: 'merge';
}

/** What input 1 has and input 0 has not, as one layer. */
export interface DiffOp {
  readonly kind: 'diff';
}

/** A tree written as one file: file systems, disks, archives. The formats come with system assembly. */
export interface PackOp {
  readonly kind: 'pack';
  readonly format: string;
  readonly options: Readonly<Record<string, string>>;
}
