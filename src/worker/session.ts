import type { Digest, Lease } from '../blob/index.ts';
import type { SourceOp } from '../graph/index.ts';
import type { Codec } from '../tree/index.ts';
import type { BuildHost } from './build-host.ts';
import type { RefLayer } from './ref.ts';

/** What the asking side says of a build. */
export interface SessionInit {
  /** Unique in this process and store: keys of sources that belong to the asking side are made with it. */
  readonly id: string;
  readonly host: BuildHost;
  /** Entitlements granted: `network.host`, `security.insecure`. */
  readonly allow: ReadonlySet<string>;
  /** Hosts that may be spoken to without TLS or with a certificate nobody vouches for. */
  readonly insecure: readonly string[];
  /** What a policy makes of a source before anything is asked about it. Throws where it may not be used. */
  readonly vet?: ((source: SourceOp) => Promise<SourceOp>) | undefined;
  /** Told when a registry is asked again, has a warning, or is left for another. */
  readonly notice?: ((text: string) => void) | undefined;
  /** Makes sure of layers that caches elsewhere said to have; false where one is not to be had. */
  readonly offers?: ((layers: readonly RefLayer[]) => Promise<boolean>) | undefined;
  /** What a cache mount of this key held elsewhere. */
  readonly cacheMount?: ((key: Digest) => Promise<RefLayer | undefined>) | undefined;
  /** Told of the compressed layer that could not be brought here from where it was said to be. */
  readonly lost?: ((compressed: Digest) => void) | undefined;
  /** What failed steps leave is kept until the session ends (`keptFailure`). */
  readonly keepsFailures?: boolean | undefined;
  /** Compress what this step makes in the same pass, because a target of the build wants it so. */
  codecFor(vertex: Digest): Codec | undefined;
}

/** One build as the steps see it. Its end gives back what it holds, once nothing that runs for it (or for another build that joined) needs that. */
export interface Session extends SessionInit, AsyncDisposable {
  /** Spares these blobs from sweeps until the session ends. To be called before looking whether they are there: then no sweep can come in between. */
  spare(...digests: readonly Digest[]): void;
  /** Keeps the session from ending while the scope lasts. */
  hold(): AsyncDisposable;
  /** Gives this back when the session ends. */
  keep(kept: AsyncDisposable): void;
}

/** A session on a lease of its own; `end` gives back all else that was made for it. */
export function openSession(init: SessionInit, o: { lease: () => Lease; end: () => Promise<void> }): Session {
  const spared = new Set<Digest>();
  let kept = new AsyncDisposableStack();
  let lease: Lease | undefined;
  let holders = 0;
  const hold = (): AsyncDisposable => {
    // A step that waited for its turn may begin after its build has ended, because another one waits for it.
    lease ??= o.lease();
    holders += 1;
    let given = false;
    return {
      [Symbol.asyncDispose]: async () => {
        if (given) return;
        given = true;
        holders -= 1;
        if (holders > 0) return;
        const ended = lease;
        lease = undefined;
        spared.clear();
        const all = kept;
        kept = new AsyncDisposableStack();
        try {
          await all.disposeAsync();
          await o.end();
        } finally {
          await ended?.[Symbol.asyncDispose]();
        }
      },
    };
  };
  const own = hold();
  return {
    ...init,
    codecFor: (vertex) => init.codecFor(vertex),
    spare: (...digests) => {
      const more = digests.filter((digest) => !spared.has(digest));
      if (more.length === 0 || !lease) return;
      lease.add(...more);
      for (const digest of more) spared.add(digest);
    },
    hold,
    keep: (one) => void kept.use(one),
    [Symbol.asyncDispose]: () => own[Symbol.asyncDispose](),
  };
}
