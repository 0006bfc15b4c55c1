/** A message of descriptor.proto as its fields are on the wire, by their numbers. Lengths and numbers are below 2^32 there, but for negative ones, of which the lower 32 bits are read. */
export class ProtoFields {
  readonly #numbers = new Map<number, number>();
  readonly #pieces = new Map<number, Uint8Array[]>();
  readonly #nested = new Map<number, readonly ProtoFields[]>();

  constructor(bytes: Uint8Array) {
    let at = 0;
    const varint = (): number => {
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[at++];
        if (byte === undefined) throw new TypeError('a description ends early');
        if (shift < 32) value |= (byte & 0x7f) << shift;
        if (byte < 0x80) return value >>> 0;
      }
    };
    while (at < bytes.length) {
      const tag = varint();
      const field = tag >>> 3;
      switch (tag & 7) {
        case 0:
          this.#numbers.set(field, varint());
          break;
        case 2: {
          const size = varint();
          const piece = bytes.subarray(at, at + size);
          at += size;
          const known = this.#pieces.get(field);
          if (known) known.push(piece);
          else this.#pieces.set(field, [piece]);
          break;
        }
        default:
          throw new TypeError('a description has what descriptor.proto has not');
      }
    }
  }

  number(field: number): number | undefined {
    return this.#numbers.get(field);
  }

  /** Empty where there is none. */
  text(field: number): string {
    const piece = this.#pieces.get(field)?.at(-1);
    return piece === undefined ? '' : Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString('latin1');
  }

  /** The messages of a repeated field. */
  all(field: number): readonly ProtoFields[] {
    let found = this.#nested.get(field);
    if (!found) this.#nested.set(field, (found = (this.#pieces.get(field) ?? []).map((one) => new ProtoFields(one))));
    return found;
  }
}

/** Base64 with or without its padding. */
export function base64Bytes(text: string): Uint8Array {
  return Buffer.from(text, 'base64');
}
