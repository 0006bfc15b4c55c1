import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { systemClock, systemRandom } from '../../../base/index.ts';
import type { BuildHost } from '../../../worker/index.ts';
import { GrpcConnection, GrpcServer } from '../../grpc/index.ts';
import { acceptSession, KeptFiles, openSession, SESSION_CALL, type ClientSession, type SessionOffer } from './index.ts';

/** A session in this process: `session` as the server sees it, of what `host` offers. */
export interface BothEnds extends AsyncDisposable {
  readonly session: ClientSession;
  /** Breaks the line, as a client does that is killed. */
  cut(): void;
}

/** `folder`: where the server keeps files. */
export async function bothEnds(
  host: Partial<BuildHost>,
  o: Partial<SessionOffer> & { readonly folder: string },
): Promise<BothEnds> {
  const [here, there] = duplexPair();
  const kept = new KeptFiles(join(o.folder, 'kept'), { clock: systemClock, random: systemRandom });
  const accepted = Promise.withResolvers<ClientSession>();
  const server = new GrpcServer({
    routes: () => undefined,
    raw: {
      [SESSION_CALL]: async (request) => {
        const session = acceptSession(request, { kept, clock: systemClock });
        accepted.resolve(session);
        await new Promise((resolve) => session.gone.addEventListener('abort', resolve, { once: true }));
      },
    },
  });
  server.accept(there);
  const connection = new GrpcConnection(here);
  const open = openSession(connection, host as BuildHost, {
    id: systemRandom.hex(8),
    sharedKey: 'k',
    files: [],
    sinks: [],
    ...o,
  });
  const session = await accepted.promise;
  return {
    session,
    cut: () => connection.destroy(),
    async [Symbol.asyncDispose]() {
      await session[Symbol.asyncDispose]();
      await open[Symbol.asyncDispose]();
      await connection[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
