import { paxRecord } from './pax.ts';

/** The blocks that test archives are put together from by hand. */

/** A header block with the fields at their offsets. */
export function header(fields: Record<number, string | Uint8Array>, o: { checksum?: string } = {}): Buffer {
  const b = Buffer.alloc(512);
  b.write('0000644\0', 100);
  b.write('0000000\0', 108);
  b.write('0000000\0', 116);
  b.write('00000000000\0', 124);
  b.write('00000000000\0', 136);
  b[156] = 0x30;
  b.write('ustar\u000000', 257);
  for (const [at, value] of Object.entries(fields)) Buffer.from(value).copy(b, Number(at));
  b.fill(0x20, 148, 156);
  const sum = b.reduce((a, x) => a + x, 0);
  b.write(o.checksum ?? `${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return b;
}

export const block = (content: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(content);
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
};
export const octal = (n: number): string => `${n.toString(8).padStart(11, '0')}\0`;
export const pax = (type: string, records: Record<string, string | Uint8Array>): Buffer => {
  const data = Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, value)));
  return Buffer.concat([header({ 0: 'PaxHeaders', 124: octal(data.length), 156: type }), block(data)]);
};
