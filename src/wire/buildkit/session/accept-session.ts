import { messageOf, type Clock, type CodedError } from '../../../base/index.ts';
import { GrpcConnection, type Metadata, type RawRequest } from '../../grpc/index.ts';
import { callStream } from './call-stream.ts';
import { sessionError } from './errors.ts';
import { healthLimits, watchHealth } from './health.ts';
import type { KeptFiles, Stay } from './kept-files.ts';
import { remoteHost } from './remote-host.ts';
import type { ClientSession, SessionHello } from './types.ts';
import { pullUpload } from './upload.ts';

const MOST_METHODS = 1000;

/** What the headers say. Throws `SESSION_INVALID` where they name no session. */
export function readHello(headers: Metadata): SessionHello {
  const id = headers.get('x-docker-expose-session-uuid') ?? '';
  if (!/^[\w.:-]{1,256}$/.test(id))
    throw sessionError('SESSION_INVALID', 'open a session: its header x-docker-expose-session-uuid names none');
  const methods = headers.all('x-docker-expose-session-grpc-method').flatMap((value) => value.split(/,\s*/));
  if (methods.length > MOST_METHODS) throw sessionError('SESSION_INVALID', 'open a session: too many methods');
  return { id, sharedKey: headers.get('x-docker-expose-session-sharedkey') ?? '', methods: new Set(methods) };
}

/** Of the server that accepts sessions: `new GrpcServer({ raw: { [SESSION_CALL]: … } })`. */
export const SESSION_CALL = '/moby.buildkit.v1.Control/Session';

/**
 * The session that a client opens by a call (moby.buildkit.v1.Control/Session): a connection inside the call, on which the client serves what it owns. The call lasts until `gone` fires. Throws `SESSION_INVALID`.
 */
export function acceptSession(
  request: Pick<RawRequest, 'call' | 'headers'>,
  o: { readonly kept: KeptFiles; readonly clock: Clock },
): ClientSession {
  const { headers } = request;
  const hello = readHello(headers);
  const connection = new GrpcConnection(callStream(request.call));
  const gone = new AbortController();
  const leave = (why: CodedError): void => {
    gone.abort(why);
    connection.destroy();
  };
  void connection.closed.then((fault) =>
    leave(sessionError('SESSION_GONE', fault ? `the client has gone: ${messageOf(fault)}` : 'the client has gone')),
  );
  const limits = healthLimits(headers.get('x-buildkit-session-health-custom-timeout'));
  void watchHealth(connection, { limits, signal: gone.signal }).then((why) => why && leave(why));
  let stay: Stay | undefined;
  const lower = new Set([...hello.methods].map((method) => method.toLowerCase()));
  const offers = (method: string): boolean => lower.has(method.toLowerCase());
  const host = remoteHost({
    connection,
    offers,
    gone: gone.signal,
    kept: o.kept,
    stay: () => {
      if (gone.signal.aborted) throw gone.signal.reason;
      return (stay ??= o.kept.openStay());
    },
    sharedKey: hello.sharedKey,
    clock: o.clock,
  });
  return {
    hello,
    host,
    gone: gone.signal,
    offers,
    upload: (url, w) => pullUpload(connection, url, w),
    async [Symbol.asyncDispose]() {
      leave(sessionError('SESSION_GONE', 'the session has ended'));
      await connection.closed;
      stay?.[Symbol.dispose]();
    },
  };
}
