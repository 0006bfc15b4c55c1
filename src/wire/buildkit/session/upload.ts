import { throwIfCancelled, type Bytes, type Wait } from '../../../base/index.ts';
import { Upload } from '../../gen/buildkit/upload_pb.ts';
import { fromStatus, type GrpcConnection } from '../../grpc/index.ts';

/** What a client uploads under an URL. Throws what the client says, or that it has gone. */
export async function* pullUpload(connection: GrpcConnection, url: URL, w?: Wait): Bytes {
  try {
    const answers = connection
      .client(Upload)
      .pull(nothing(), { headers: { urlpath: url.pathname, urlhost: url.host }, signal: w?.signal });
    for await (const { data } of answers) if (data.length > 0) yield data;
  } catch (error) {
    throwIfCancelled(w);
    throw fromStatus(error, `receive what was given at "${url.href}"`);
  }
}

/** The caller sends nothing. */
async function* nothing(): AsyncIterable<never> {
  // Half-closed at once.
}
