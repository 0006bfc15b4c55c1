import { Channel } from '../../../base/index.ts';
import { fromStatus, type RawCall } from '../../grpc/index.ts';

/** Bytes read ahead of who iterates. */
const AHEAD = 4 << 20;

/** The bytes of a call's messages. It is not read faster than they are taken. */
export function receiveBytes(
  call: RawCall,
  o: { readonly read: (message: Buffer) => Uint8Array; readonly action: string },
): AsyncIterable<Uint8Array> {
  const channel = new Channel<Uint8Array>();
  let ahead = 0;
  let paused = false;
  let failure: unknown;
  call.receive((message) => {
    try {
      const data = Uint8Array.from(o.read(message));
      if (data.length === 0) return;
      channel.push(data);
      ahead += data.length;
    } catch (error) {
      failure = error;
      call.cancel();
      return;
    }
    if (ahead <= AHEAD || paused) return;
    paused = true;
    call.pause();
  });
  void call.ended.then((status) => {
    if (failure !== undefined) channel.end({ error: failure });
    else if (status) channel.end({ error: fromStatus(status, o.action) });
    else channel.end();
  });
  return (async function* () {
    for await (const chunk of channel) {
      ahead -= chunk.length;
      if (paused && ahead < AHEAD / 2) {
        paused = false;
        call.resume();
      }
      yield chunk;
    }
  })();
}
