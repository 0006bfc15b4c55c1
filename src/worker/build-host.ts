import type { Wait } from '../base/index.ts';
import type { BlobReader } from '../blob/index.ts';
import type { FileSource } from '../tree/index.ts';

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
  sink(exporter: string): Sink;
}

/** Where an exporter's output goes on the asking side: one stream of bytes (a file, stdout), or a folder. */
export type Sink =
  | { readonly kind: 'stream'; open(): Promise<ByteSink> }
  | { readonly kind: 'folder'; readonly path: string };

/** Bytes written become visible under their name only by `close`; leaving the scope without it throws them away. */
export interface ByteSink extends AsyncDisposable {
  write(chunk: Uint8Array): Promise<void>;
  close(): Promise<void>;
}
