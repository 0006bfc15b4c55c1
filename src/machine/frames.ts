import type { Socket } from 'node:net';
import { machineError } from './errors.ts';

/** What a frame between a monitor and who asks it carries. */
export const FRAME = { message: 0, stdout: 1, stderr: 2, stdin: 3, stdinEnd: 4 } as const;

export interface Frame {
  readonly kind: number;
  readonly payload: Buffer;
}

/** Length of the payload (32 bits, big-endian), kind (8 bits). */
const HEAD = 5;
const MOST = 8 << 20;

export function frameOf(kind: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(HEAD);
  head.writeUInt32BE(payload.length, 0);
  head.writeUInt8(kind, 4);
  return Buffer.concat([head, payload]);
}

export function messageFrame(message: unknown): Buffer {
  return frameOf(FRAME.message, Buffer.from(JSON.stringify(message)));
}

export function parseMessage({ payload }: Frame): unknown {
  try {
    return JSON.parse(payload.toString()) as unknown;
  } catch (cause) {
    throw machineError('MONITOR_LOST', 'read a message: it is no JSON', { cause });
  }
}

/** The frames of a stream until it ends. Throws `MONITOR_LOST` for what is none. */
export async function* framesOf(stream: AsyncIterable<Buffer>): AsyncIterable<Frame> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= HEAD) {
      const length = rest.readUInt32BE(at);
      if (length > MOST) throw machineError('MONITOR_LOST', `read a frame: ${length} bytes are too many`);
      if (rest.length - at < HEAD + length) break;
      yield { kind: rest.readUInt8(at + 4), payload: rest.subarray(at + HEAD, at + HEAD + length) };
      at += HEAD + length;
    }
    rest = rest.subarray(at);
  }
}

/** Sends a frame and waits until the other side keeps up; what nobody reads any more is dropped. */
export async function sendFrame(socket: Socket, frame: Buffer): Promise<void> {
  if (socket.destroyed || !socket.writable || socket.write(frame)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once('drain', resolve).once('close', resolve);
  await promise;
  socket.off('drain', resolve).off('close', resolve);
}
