import type { Duplex } from 'node:stream';
import { encodeFrame, FrameReader, KIND, type Frame } from './frames.ts';
import { groundError } from './errors.ts';

/** Bytes of one stream that may be under way before the other side has taken some. */
const WINDOW = 4 << 20;
const PIECE = 1 << 18;

interface Room {
  left: number;
  wake: (() => void) | undefined;
  /** The end of what was given before. */
  last: Promise<boolean>;
}

/** One end of the connection: frames out, frames in, and for each stream the room that is left on it. */
export class Link {
  /** Settles when the connection is over, for whatever reason. */
  readonly closed: Promise<unknown>;
  readonly #stream: Duplex;
  readonly #rooms = new Map<string, Room>();
  #fault: unknown;
  #open = true;

  constructor(stream: Duplex, see: (frame: Frame) => void) {
    this.#stream = stream;
    const reader = new FrameReader((frame) => {
      if (frame.kind === KIND.credit) this.#credited(frame);
      else see(frame);
    });
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.closed = promise;
    stream.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.#fault ??= error;
        stream.destroy();
      }
    });
    stream.on('error', (error: unknown) => (this.#fault ??= error));
    stream.on('end', () => stream.destroy());
    stream.on('close', () => {
      this.#open = false;
      for (const room of this.#rooms.values()) room.wake?.();
      resolve(this.#fault);
    });
  }

  get open(): boolean {
    return this.#open && !this.#stream.destroyed;
  }

  close(): void {
    this.#stream.destroy();
  }

  send(kind: Frame['kind'], id: number, o: { stream?: number; payload?: Uint8Array } = {}): void {
    if (!this.open) return;
    const { stream = 0, payload } = o;
    const head = encodeFrame({ kind, id, stream }, payload?.length ?? 0);
    this.#stream.cork();
    this.#stream.write(head);
    if (payload && payload.length > 0) this.#stream.write(payload);
    this.#stream.uncork();
  }

  sendJson(kind: Frame['kind'], id: number, value: unknown): void {
    this.send(kind, id, { payload: Buffer.from(JSON.stringify(value ?? null)) });
  }

  /** Sends bytes of a stream, after what was sent on it before, when there is room for them. Throws `KEEPER_LOST` when the connection is over; false when the stream was given up. */
  async sendData(id: number, stream: number, chunk: Uint8Array): Promise<boolean> {
    const key = `${id}.${stream}`;
    let room = this.#rooms.get(key);
    if (!room) {
      room = { left: WINDOW, wake: undefined, last: Promise.resolve(true) };
      this.#rooms.set(key, room);
    }
    const before = room.last;
    const sent = before.then((open) => open && this.#sendPieces(room, { key, id, stream, chunk }));
    room.last = sent.catch(() => false);
    return sent;
  }

  async #sendPieces(room: Room, o: { key: string; id: number; stream: number; chunk: Uint8Array }): Promise<boolean> {
    for (let at = 0; at < o.chunk.length; at += PIECE) {
      while (room.left <= 0) {
        if (!this.open) throw groundError('KEEPER_LOST', 'write to the keeper: the connection is over');
        if (this.#rooms.get(o.key) !== room) return false;
        const { promise, resolve } = Promise.withResolvers<void>();
        room.wake = resolve;
        await promise;
      }
      const payload = o.chunk.subarray(at, at + PIECE);
      room.left -= payload.length;
      this.send(KIND.data, o.id, { stream: o.stream, payload });
    }
    return true;
  }

  /** Settles when all that `sendData` was given for a request is on its way. */
  async sent(id: number): Promise<void> {
    for (const [key, room] of this.#rooms) if (key.startsWith(`${id}.`)) await room.last;
  }

  /** Says that bytes of a stream have been taken. */
  credit(id: number, stream: number, bytes: number): void {
    const payload = Buffer.allocUnsafe(4);
    payload.writeUInt32BE(bytes);
    this.send(KIND.credit, id, { stream, payload });
  }

  /** Forgets the streams of a request that is over; whoever waits for room on them stops. */
  forget(id: number): void {
    for (const [key, room] of this.#rooms)
      if (key.startsWith(`${id}.`)) {
        this.#rooms.delete(key);
        room.wake?.();
      }
  }

  #credited(frame: Frame): void {
    const room = this.#rooms.get(`${frame.id}.${frame.stream}`);
    if (!room) return;
    room.left += Buffer.from(frame.payload).readUInt32BE(0);
    room.wake?.();
  }
}

export function parsePayload(payload: Uint8Array): unknown {
  return JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString());
}
