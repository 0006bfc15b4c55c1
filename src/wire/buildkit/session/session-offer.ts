import type { Bytes } from '../../../base/index.ts';
import type { BlobReader, BlobWriter, Digest } from '../../../blob/index.ts';

/** What lets a server fetch tokens without being told a password: the client asks for them itself. */
export interface TokenAuthority {
  /** The secret that a server's keys are made from; undefined where there is no login for a host. */
  seed(host: string): Promise<Uint8Array | undefined>;
  fetch(request: {
    readonly clientId: string;
    readonly host: string;
    readonly realm: string;
    readonly service: string;
    readonly scopes: readonly string[];
    readonly signal: AbortSignal;
  }): Promise<{
    readonly token: string;
    readonly expiresIn?: number | undefined;
    readonly issuedAt?: number | undefined;
  }>;
}

/** A content store; `put` where it may be written to. */
export interface SessionStore extends BlobReader, Partial<BlobWriter> {
  /** Bytes of a blob that it has. */
  sizeOf?(digest: Digest): Promise<number>;
}

/** What of a host's a server may use, under the server's names for it. */
export interface SessionOffer {
  /** Unique. */
  readonly id: string;
  readonly sharedKey?: string | undefined;
  /** Names of the folders of files. */
  readonly files: readonly string[];
  /** Names of sinks by the number of their exporter. */
  readonly sinks: readonly (string | undefined)[];
  /** Content stores by their id (`oci:NAME`, `local:…`, `export`). */
  readonly stores?: ReadonlyMap<string, SessionStore> | undefined;
  /** By path, with its slash. */
  readonly uploads?: ReadonlyMap<string, () => Bytes> | undefined;
  readonly secrets?: boolean | undefined;
  readonly agents?: boolean | undefined;
  readonly credentials?: boolean | undefined;
  readonly tokens?: TokenAuthority | undefined;
}
