import type { ByteSink, Sink } from '../../../worker/index.ts';
import { fromStatus, type GrpcConnection } from '../../grpc/index.ts';
import { bytesMessage } from './bytes-message.ts';
import { sessionError } from './errors.ts';
import { encodeHeaders } from './metadata.ts';
import { remoteBlobs } from './remote-blobs.ts';
import { sendFiles } from './send-files.ts';
import { sinkPlace } from './types.ts';

const FILE_SEND = '/moby.filesync.v1.FileSend/DiffCopy';
const EXPORTER = 'buildkit-attachable-exporter-id';
const PIECE = 1 << 20;

/** A place of a client's that output goes to. `name`: see `sinkName`. */
export function remoteSink(
  name: string,
  o: { readonly connection: GrpcConnection; readonly need: (method: string, what: string) => void },
): Sink {
  const { connection } = o;
  const place = sinkPlace(name);
  if (!place) throw sessionError('SESSION_INVALID', `write to output "${name}": it is none of a session`);
  if (place.kind === 'blobs') {
    o.need('/containerd.services.content.v1.Content/Write', `store "${place.store}"`);
    return { kind: 'blobs', store: remoteBlobs(connection, place.store) };
  }
  o.need(FILE_SEND, 'a place for output');
  const exporter = { [EXPORTER]: [String(place.exporter)] };
  if (place.kind === 'tree')
    return {
      kind: 'tree',
      write: async (tree, w) => {
        const mirror = place.mirror === true ? { 'buildkit-exporter-multi-platform': ['1'] } : undefined;
        const call = connection.raw(FILE_SEND, { headers: { ...exporter, ...mirror } });
        await sendFiles(call, tree, { action: 'send files to the client', onProgress: w.onProgress, signal: w.signal });
      },
    };
  return {
    kind: 'stream',
    open: async (metadata = {}) => {
      const told = Object.entries(metadata).map(([key, value]) => [`exporter-md-${key}`, [value]] as const);
      return streamSink(connection, { ...exporter, ...encodeHeaders(Object.fromEntries(told)) });
    },
  };
}

/** Leaving without `close` cancels the call: the client then knows that what it has is not whole. */
function streamSink(connection: GrpcConnection, headers: Readonly<Record<string, readonly string[]>>): ByteSink {
  const call = connection.raw(FILE_SEND, { headers });
  call.receive(() => undefined);
  let over = false;
  const failed = async (): Promise<Error | undefined> => {
    const status = await call.ended;
    const failure = status && fromStatus(status, 'send output to the client');
    // It has it already and wants no more: as good as sent.
    return failure?.code === 'GRPC_ALREADY_EXISTS' ? undefined : failure;
  };
  void call.ended.then(() => (over = true));
  return {
    async write(chunk) {
      for (let at = 0; at < chunk.length; at += PIECE) {
        if (over) {
          const failure = await failed();
          if (failure) throw failure;
          return;
        }
        if (!call.send(...bytesMessage(chunk.subarray(at, at + PIECE)))) await call.writable();
      }
    },
    async close() {
      call.finish();
      const failure = await failed();
      if (failure) throw failure;
    },
    async [Symbol.asyncDispose]() {
      if (!over) call.cancel();
    },
  };
}
