import { throwIfCancelled, type Wait } from '../../../base/index.ts';
import type { ByteChannel } from '../../../worker/index.ts';
import { SSH } from '../../gen/buildkit/ssh_pb.ts';
import { fromStatus, type GrpcConnection } from '../../grpc/index.ts';
import { bytesMessage, readBytesMessage } from './bytes-message.ts';
import { receiveBytes } from './receive-bytes.ts';
import { sessionError } from './errors.ts';

const PIECE = 32 * 1024;

/** A connection to an ssh agent of a client's (moby.sshforward.v1.SSH). Throws `SESSION_NOT_OFFERED` for an id that it has not. */
export async function remoteAgent(connection: GrpcConnection, id: string, w?: Wait): Promise<ByteChannel> {
  try {
    await connection.client(SSH).checkAgent({ ID: id }, { ...(w?.signal && { signal: w.signal }) });
  } catch (error) {
    throwIfCancelled(w);
    const failure = fromStatus(error, `use ssh agent "${id}"`);
    if (['unavailable', 'cancelled'].includes(failure.kind)) throw failure;
    throw sessionError('SESSION_NOT_OFFERED', failure.message, { cause: failure, remedy: 'Give it to the build.' });
  }
  const call = connection.raw('/moby.sshforward.v1.SSH/ForwardAgent', { headers: { 'buildkit.ssh.id': id } });
  return {
    readable: receiveBytes(call, { read: readBytesMessage, action: `read from ssh agent "${id}"` }),
    async write(chunk) {
      for (let at = 0; at < chunk.length; at += PIECE)
        if (!call.send(...bytesMessage(chunk.subarray(at, at + PIECE)))) await call.writable();
    },
    async [Symbol.asyncDispose]() {
      call.finish();
      call.cancel();
    },
  };
}
