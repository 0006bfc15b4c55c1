import type { Wait } from '../base/index.ts';
import type { BlobReader, BlobWriter } from '../blob/index.ts';
import type { CacheStore } from '../cloud/index.ts';
import type { FileSource, FileTree } from '../tree/index.ts';

export interface Credential {
  readonly username?: string | undefined;
  /** A password, or an identity (refresh) token when `kind` is `identity-token`; a ready bearer token when `bearer`. */
  readonly secret: string;
  readonly kind: 'password' | 'identity-token' | 'bearer';
}

/** A two-way stream of bytes, as an ssh agent's. */
export interface ByteChannel extends AsyncDisposable {
  readonly readable: AsyncIterable<Uint8Array>;
  write(chunk: Uint8Array): Promise<void>;
}

/** What the asking side owns, pulled by the engine when a step needs it. In process these are functions; over the wire they are the session. */
export interface BuildHost {
  /** Throws `not_found` for a name that was not offered. */
  files(name: string): FileSource;
  secret(id: string, w?: Wait): Promise<Uint8Array | undefined>;
  /** A new connection to an ssh agent. Throws `not_found` for an id that was not offered. */
  agent(id: string, w?: Wait): Promise<ByteChannel>;
  credentials(host: string, scopes: readonly string[], w?: Wait): Promise<Credential | undefined>;
  blobs(store: string): BlobReader;
  /** A cache among the objects of a cloud, whose logins are the asking side's. Throws `not_found` for a name that was not offered. */
  objects?(store: string): Promise<CacheStore>;
  sink(exporter: string): Sink;
  /** The asking side is another than who runs this program: nothing that lies on this machine is its own. */
  readonly elsewhere?: true | undefined;
  /**
   * Offered by who wants to look at a process step that has failed: called while all that it had stands, when no other step of the build is at work. The build ends with the step's failure when this has settled; nothing of what
   * was done there is kept, but what was written to cache mounts.
   */
  failed?(step: FailedStep, w?: Wait): Promise<void>;
}

/** A failed step: its root as it left it, with its mounts, secrets, agents, user, folder, environment and network. */
export interface FailedStep {
  /** Digest of its vertex, as in the build's events. */
  readonly id: string;
  readonly name: string;
  readonly failure: Error;
  /** The first shell that runs there: the step's own, sh, bash. */
  shell(w?: Wait): Promise<readonly string[] | undefined>;
  /** Runs a process there to its end and gives its exit code (128 + n for signal n); killed when the signal fires, which throws `CANCELLED`. One that comes while another runs is beside it, and ends with it. Throws what executors do. */
  run(process: FailedStepProcess, w?: Wait): Promise<number>;
}

export interface FailedStepProcess extends StepIo {
  readonly args: readonly string[];
  /** `NAME=value`, for what the step's own environment has not. */
  readonly env?: readonly string[] | undefined;
  readonly terminal?: { readonly columns: number; readonly rows: number } | undefined;
}

/** What a process that was asked for reads and says. */
export interface StepIo {
  readonly stdin?: AsyncIterable<Uint8Array> | undefined;
  /** With a terminal, all that it shows. It is read on when what this gives has settled. */
  stdout(chunk: Uint8Array): void | Promise<void>;
  stderr(chunk: Uint8Array): void | Promise<void>;
  /** Called when it has begun. */
  onStart?(control: ProcessControl): void;
}

/** Steers a process for as long as it runs. */
export interface ProcessControl {
  resize(size: { readonly columns: number; readonly rows: number }): void;
  /** By name: `SIGTERM`. Throws `STEP_SIGNAL_UNKNOWN`. */
  signal(name: string): void;
}

/** Where an exporter's output goes on the asking side. */
export type Sink =
  /** One stream of bytes (a file, stdout). `metadata`: what an exporter says of the image in it, by BuildKit's names. */
  | { readonly kind: 'stream'; open(metadata?: Readonly<Record<string, string>>): Promise<ByteSink> }
  /** A folder of this machine. */
  | { readonly kind: 'folder'; readonly path: string }
  /** A folder of another machine. */
  | { readonly kind: 'tree'; write(tree: FileTree, o: TreeSinkOptions): Promise<void> }
  /** Blobs of another machine, in a layout whose index is written there. */
  | { readonly kind: 'blobs'; readonly store: BlobReader & BlobWriter };

export interface TreeSinkOptions extends Wait {
  /** The tree has a folder for each platform. */
  readonly split?: boolean | undefined;
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/** Bytes written become visible under their name only by `close`; leaving the scope without it throws them away. */
export interface ByteSink extends AsyncDisposable {
  write(chunk: Uint8Array): Promise<void>;
  close(): Promise<void>;
}
