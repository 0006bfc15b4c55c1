import type { BuildHost } from '../../../worker/index.ts';

/** What a client says of itself when it opens a session: the headers of the call. */
export interface SessionHello {
  /** `x-docker-expose-session-uuid` */
  readonly id: string;
  /** `x-docker-expose-session-sharedkey`: the same for builds whose files are mostly the same. */
  readonly sharedKey: string;
  /** `x-docker-expose-session-grpc-method`: `/package.Service/Method`. */
  readonly methods: ReadonlySet<string>;
}

/** A client's session, open. */
export interface ClientSession extends AsyncDisposable {
  readonly hello: SessionHello;
  /** What the client owns. `exporter`: its number among the exporters of a build (`buildkit-attachable-exporter-id`). */
  readonly host: BuildHost;
  /** Fires when the client has gone, or has not answered its health check in time. */
  readonly gone: AbortSignal;
}
