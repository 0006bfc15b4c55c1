import type { Digest } from '../blob/index.ts';
import type { Codec } from '../tree/index.ts';
import type { BuildHost } from './build-host.ts';

/** One build as the steps see it. */
export interface Session {
  /** Unique in this process and store: keys of sources that belong to the asking side are made with it. */
  readonly id: string;
  readonly host: BuildHost;
  /** Entitlements granted: `network.host`, `security.insecure`. */
  readonly allow: ReadonlySet<string>;
  /** Hosts that may be spoken to without TLS or with a certificate nobody vouches for. */
  readonly insecure: readonly string[];
  /** Compress what this step makes in the same pass, because a target of the build wants it so. */
  codecFor(vertex: Digest): Codec | undefined;
}
