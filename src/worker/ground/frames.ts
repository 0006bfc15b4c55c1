import { groundError } from './errors.ts';

/** What travels between engine and keeper, over one byte stream each way: u32 length of what follows, u8 kind, u32 id of the request, u8 stream, payload. Numbers are big-endian. */
export interface Frame {
  readonly kind: (typeof KIND)[keyof typeof KIND];
  readonly id: number;
  /** Several streams of bytes may belong to a request. */
  readonly stream: number;
  readonly payload: Uint8Array;
}

export const KIND = {
  /** Payload: JSON `{ method, params }`. */
  request: 1,
  /** Payload: JSON, the answer. */
  result: 2,
  /** Payload: JSON of an error. */
  error: 3,
  /** Payload: bytes of a stream, in either direction. */
  data: 4,
  /** The end of a stream. */
  end: 5,
  /** The asker gives up; an `error` or `result` still follows. */
  cancel: 6,
  /** Payload: u32, bytes of a stream that have been taken, so that as many more may come. */
  credit: 7,
} as const;

const HEAD = 10;
const MAX_FRAME = 64 << 20;

export function encodeFrame(frame: Omit<Frame, 'payload'>, length: number): Buffer {
  const head = Buffer.allocUnsafe(HEAD);
  head.writeUInt32BE(length + HEAD - 4, 0);
  head.writeUInt8(frame.kind, 4);
  head.writeUInt32BE(frame.id, 5);
  head.writeUInt8(frame.stream, 9);
  return head;
}

/** Cuts a stream of chunks into frames. */
export class FrameReader {
  readonly #see: (frame: Frame) => void;
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(see: (frame: Frame) => void) {
    this.#see = see;
  }

  /** Throws `KEEPER_PROTOCOL` when the other side speaks something else. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    while (this.#size >= HEAD) {
      let first = this.#chunks[0]!;
      if (first.length < HEAD) first = this.#join();
      const total = first.readUInt32BE(0) + 4;
      if (total < HEAD || total > MAX_FRAME)
        throw groundError('KEEPER_PROTOCOL', `read from the keeper: a frame of ${total} bytes`);
      if (this.#size < total) return;
      if (first.length < total) first = this.#join();
      this.#chunks[0] = first.subarray(total);
      this.#size -= total;
      if (this.#chunks[0].length === 0) this.#chunks.shift();
      this.#see({
        kind: first.readUInt8(4) as Frame['kind'],
        id: first.readUInt32BE(5),
        stream: first.readUInt8(9),
        payload: first.subarray(HEAD, total),
      });
    }
  }

  #join(): Buffer {
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }
}
