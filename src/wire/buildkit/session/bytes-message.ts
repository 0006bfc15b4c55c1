import { sessionError } from './errors.ts';

/** A message whose only field is `bytes data = 1`, as parts. */
export function bytesMessage(data: Uint8Array): readonly Uint8Array[] {
  if (data.length === 0) return [];
  const head = Buffer.allocUnsafe(6);
  head[0] = 0x0a;
  let at = 1;
  let rest = data.length;
  for (; rest >= 0x80; rest >>>= 7) head[at++] = (rest & 0x7f) | 0x80;
  head[at++] = rest;
  return [head.subarray(0, at), data];
}

/** Its data, a view. Fields that nobody knows are skipped. */
export function readBytesMessage(message: Buffer): Buffer {
  let at = 0;
  let data = message.subarray(0, 0);
  const number = (): number => {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = message[at++];
      if (byte === undefined) throw malformed();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw malformed();
  };
  while (at < message.length) {
    const tag = number();
    const wire = tag & 7;
    if (wire === 2) {
      const length = number();
      if (at + length > message.length) throw malformed();
      if (tag === 0x0a) data = message.subarray(at, at + length);
      at += length;
    } else if (wire === 0) number();
    else throw malformed();
  }
  return data;
}

function malformed(): Error {
  return sessionError('SESSION_PROTOCOL', 'read a message of bytes: it is malformed');
}
