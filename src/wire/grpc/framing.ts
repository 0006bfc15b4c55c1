import {
  create,
  fromBinary,
  ScalarType,
  toBinary,
  type DescField,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { Code, StatusError } from './status.ts';

/** One byte that says whether it is compressed, four of length. */
const PREFIX = 5;

/** Bytes of a field from which on it is worth a way of its own. */
const LARGE = 4096;

/** A message as it is sent. What its fields hold may be used otherwise from then on. */
export function frame<D extends DescMessage>(schema: D, message: MessageInitShape<D>): Uint8Array {
  const large = bytesFieldsOf(schema).find(({ localName }) => {
    const value = (message as Readonly<Record<string, unknown>>)[localName];
    return value instanceof Uint8Array && value.length >= LARGE;
  });
  if (!large) return framed(toBinary(schema, create(schema, message)));
  // The general encoder copies three times. Fields may come in any order: this one comes last, copied once.
  const { [large.localName]: value } = message as Readonly<Record<string, unknown>>;
  const bytes = value as Uint8Array;
  // Empty, not absent: what is a message already is encoded as it stands.
  const rest = { ...message, [large.localName]: NOTHING };
  const tag = [...varint((large.number << 3) | LENGTH_DELIMITED), ...varint(bytes.length)];
  return framed(toBinary(schema, create(schema, rest as MessageInitShape<D>)), Uint8Array.from(tag), bytes);
}

const LENGTH_DELIMITED = 2;
const NOTHING = new Uint8Array();

function framed(...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = Buffer.allocUnsafe(PREFIX + length);
  whole[0] = 0;
  whole.writeUInt32BE(length, 1);
  let at = PREFIX;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

type BytesField = Pick<DescField, 'localName' | 'number'>;
const bytesFields = new WeakMap<DescMessage, readonly BytesField[]>();

/** The fields of a message that hold bytes, once. */
function bytesFieldsOf(schema: DescMessage): readonly BytesField[] {
  let found = bytesFields.get(schema);
  if (!found) {
    found = schema.fields.filter(
      (field) => field.fieldKind === 'scalar' && field.scalar === ScalarType.BYTES && field.oneof === undefined,
    );
    bytesFields.set(schema, found);
  }
  return found;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left = Math.floor(left / 128)) bytes.push((left & 0x7f) | 0x80);
  return [...bytes, left];
}

/** Cuts what arrives into messages. Bytes of a message lie where they arrived, but for one that came in pieces: it is put together once. */
export class Deframer {
  readonly #limit: number;
  #pieces: Uint8Array[] = [];
  #size = 0;
  /** How many bytes the next message takes, prefix included; 0 while that is not known. */
  #wanted = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Throws a `ResourceExhausted` or `Unimplemented` status. */
  *push(chunk: Uint8Array): Iterable<Uint8Array> {
    this.#pieces.push(chunk);
    this.#size += chunk.length;
    for (;;) {
      if (this.#wanted === 0) {
        if (this.#size < PREFIX) return;
        const head = this.#first(PREFIX);
        if (head[0] !== 0) throw new StatusError(Code.Unimplemented, 'read a message: it is compressed');
        const length = new DataView(head.buffer, head.byteOffset, head.byteLength).getUint32(1);
        if (length > this.#limit)
          throw new StatusError(
            Code.ResourceExhausted,
            `read a message of ${length} bytes: at most ${this.#limit} are taken`,
          );
        this.#wanted = PREFIX + length;
      }
      if (this.#size < this.#wanted) return;
      const whole = this.#first(this.#wanted);
      this.#drop(this.#wanted);
      this.#wanted = 0;
      yield whole.subarray(PREFIX);
    }
  }

  /** Throws where a message has begun and not ended. */
  end(): void {
    if (this.#size > 0) throw new StatusError(Code.Internal, 'read a message: the stream ended within it');
  }

  /** The first bytes in one piece. */
  #first(count: number): Uint8Array {
    const first = this.#pieces[0] as Uint8Array;
    if (first.length >= count) return first.subarray(0, count);
    const all = Buffer.concat(this.#pieces, this.#size);
    this.#pieces = [all];
    return all.subarray(0, count);
  }

  #drop(count: number): void {
    const first = this.#pieces[0] as Uint8Array;
    if (first.length === count) this.#pieces.shift();
    else this.#pieces[0] = first.subarray(count);
    this.#size -= count;
  }
}

/** Throws an `Internal` status for bytes that are no such message. */
export function decode<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new StatusError(Code.Internal, `read a message: it is no ${schema.typeName}`, { cause: error });
  }
}
