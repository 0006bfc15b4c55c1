import { messageOf } from '../../base/index.ts';
import { acceptSession } from '../../wire/buildkit/index.ts';
import type { RawRequest } from '../../wire/grpc/index.ts';
import type { Served } from '../served.ts';

/** A client's session: a connection inside this call, on which the client is the server. It lasts as long as the call. */
export async function serveSession(request: RawRequest, served: Served): Promise<void> {
  const { kept, clock, sessions, log } = served;
  const session = acceptSession(request, { kept, clock });
  const end = (): void => void session[Symbol.asyncDispose]();
  const { gone } = request.peer;
  gone.addEventListener('abort', end, { once: true });
  try {
    sessions.add(session);
    if (!session.gone.aborted)
      await new Promise<void>((resolve) => session.gone.addEventListener('abort', () => resolve(), { once: true }));
  } catch (error) {
    log(`session refused: ${messageOf(error)}`, { session: session.hello.id });
    throw error;
  } finally {
    gone.removeEventListener('abort', end);
    sessions.remove(session);
    // What builds hold of the client's files is let go once they have ended.
    await sessions.left(session);
    await session[Symbol.asyncDispose]();
  }
}
