/** Data as the ssh protocol writes it (RFC 4251, section 5). */
export function sshString(value: Uint8Array | string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([sshNumber(bytes.length), bytes]);
}

export function sshNumber(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A number that is not negative, by its big-endian bytes. */
export function sshInteger(value: Uint8Array): Buffer {
  let at = 0;
  while (at < value.length && value[at] === 0) at += 1;
  const bytes = Buffer.from(value.subarray(at));
  return sshString((bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

/** Reads one thing after the other. Throws `RangeError` past the end. */
export class SshReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  number(): number {
    const value = this.#bytes.readUInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  string(): Buffer {
    const length = this.number();
    if (length > this.#bytes.length - this.#at) throw new RangeError('a string ends past the end');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  text(): string {
    return this.string().toString();
  }
}
