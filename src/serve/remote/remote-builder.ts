import { Channel, throwIfCancelled } from '../../base/index.ts';
import type { Builder, BuildEvent } from '../../engine/index.ts';
import type { RemoteConnection } from './connection.ts';
import { remoteError } from './errors.ts';
import { RemoteBuild, type RemoteBuilderOptions } from './remote-build.ts';

/**
 * A builder on a daemon that speaks BuildKit's API: strake's frontends run here and ask it by LLBBridge, their steps run there, and what the asking side owns goes over a session. Throws what frontends throw, the daemon's failures
 * with their places, `REMOTE_UNSUPPORTED` for what BuildKit has not, `REMOTE_LOST` where the connection breaks.
 */
export function remoteBuilder(connection: RemoteConnection, o: RemoteBuilderOptions): Builder {
  return {
    async *build(request, host, w = {}) {
      throwIfCancelled(w);
      const events = new Channel<BuildEvent>();
      const leaving = new AbortController();
      void connection.grpc.closed.then((fault) =>
        leaving.abort(
          remoteError(
            'REMOTE_LOST',
            `build on "${connection.name}": the connection has ended${fault ? `: ${fault.message}` : ''}`,
            {
              remedy: 'See whether the daemon runs, and build again: what is done is in its cache.',
              cause: fault,
            },
          ),
        ),
      );
      const signal = w.signal ? AbortSignal.any([w.signal, leaving.signal]) : leaving.signal;
      const work = (async (): Promise<void> => {
        try {
          const build = new RemoteBuild(connection, { ...o, request, host, emit: (event) => events.push(event) });
          await build.run({ signal });
          events.end();
        } catch (error) {
          events.end({ error: signal.aborted ? signal.reason : error });
        }
      })();
      try {
        yield* events;
      } finally {
        leaving.abort(remoteError('REMOTE_ENDED', 'the build was left'));
        await work;
      }
    },
  };
}
