import type { Bytes, Wait } from '../../../base/index.ts';
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

/** A client's session, open. To be disposed of when the builds that use it have ended: the trees of its files are readable until then. */
export interface ClientSession extends AsyncDisposable {
  readonly hello: SessionHello;
  /** What the client owns. Sinks are named by `sinkName`. */
  readonly host: BuildHost;
  /** Fires when the client has gone, or has not answered its health check in time. */
  readonly gone: AbortSignal;
  /** Whether the client serves a method, `/package.Service/Method`. */
  offers(method: string): boolean;
  /** What a client uploads under the path of an URL `http://buildkit-session/PATH` (moby.upload.v1.Upload): a context given on stdin. */
  upload(url: URL, w?: Wait): Bytes;
}

/** Which place of a client's an exporter writes to, as a name for `BuildHost.sink`: `exporter` is its number among the exporters of a build. */
export type SinkPlace =
  /** One stream: an archive. */
  | { readonly kind: 'stream'; readonly exporter: number }
  /** A folder; `mirror`: what the output does not have is deleted there (mode=delete). */
  | { readonly kind: 'tree'; readonly exporter: number; readonly mirror?: boolean | undefined }
  /** A content store: `export` for layouts, `local:…` for caches. */
  | { readonly kind: 'blobs'; readonly store: string };

export function sinkName(place: SinkPlace): string {
  if (place.kind === 'blobs') return `blobs:${place.store}`;
  return `${place.kind === 'tree' && place.mirror === true ? 'mirror' : place.kind}:${place.exporter}`;
}

/** Undefined for what is no name of a sink. */
export function sinkPlace(name: string): SinkPlace | undefined {
  const [, kind, rest = ''] = /^(stream|tree|mirror|blobs):(.*)$/s.exec(name) ?? [];
  if (kind === 'blobs') return { kind, store: rest };
  if (kind === undefined || !/^\d{1,4}$/.test(rest)) return undefined;
  const exporter = Number(rest);
  return kind === 'stream' ? { kind, exporter } : { kind: 'tree', exporter, mirror: kind === 'mirror' };
}
