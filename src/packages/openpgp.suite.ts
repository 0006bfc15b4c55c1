import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

/** A signing key for test archives, made anew: Ed25519 in OpenPGP's first form of it (RFC 9580, algorithm 22). */
export interface TestKey {
  /** The public key as a binary keyring. */
  readonly keyring: Buffer;
  readonly fingerprint: string;
  clearSign(text: string): string;
  detach(content: Buffer): Buffer;
}

const OID = Buffer.from('092b06010401da470f01', 'hex');
const HASHES = { sha256: 8, sha1: 2 } as const;

/** `madeAt` and `expiresAfter` in seconds. */
export function testKey(
  o: { name?: string; madeAt?: number; expiresAfter?: number; hash?: keyof typeof HASHES } = {},
): TestKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const madeAt = o.madeAt ?? 1_700_000_000;
  const hash = o.hash ?? 'sha256';
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  const body = Buffer.concat([
    Buffer.from([4]),
    u32(madeAt),
    Buffer.from([22]),
    OID,
    mpi(Buffer.concat([Buffer.from([0x40]), raw])),
  ]);
  const framed = Buffer.concat([Buffer.from([0x99]), u16(body.length), body]);
  const fingerprint = createHash('sha1').update(framed).digest();
  const user = Buffer.from(o.name ?? 'Test archive <test@example.org>');
  const signer = { fingerprint, privateKey, hash, at: madeAt };
  const expiry = o.expiresAfter === undefined ? [] : [subpacket(9, u32(o.expiresAfter))];
  const certificate = signature(
    { ...signer, hash: 'sha256' },
    {
      type: 0x13,
      data: [framed, Buffer.from([0xb4]), u32(user.length), user],
      more: [subpacket(27, Buffer.from([3])), ...expiry],
    },
  );
  return {
    keyring: Buffer.concat([packet(6, body), packet(13, user), packet(2, certificate)]),
    fingerprint: fingerprint.toString('hex').toUpperCase(),
    clearSign: (text) => {
      const lines = text.replace(/\n$/, '').split('\n');
      const data = Buffer.from(lines.map((line) => line.trimEnd()).join('\r\n'));
      const signed = packet(2, signature(signer, { type: 1, data: [data], more: [] }));
      const shown = lines.map((line) => (line.startsWith('-') ? `- ${line}` : line)).join('\n');
      return `-----BEGIN PGP SIGNED MESSAGE-----\nHash: ${hash.toUpperCase()}\n\n${shown}\n${armored('SIGNATURE', signed)}`;
    },
    detach: (content) => packet(2, signature(signer, { type: 0, data: [content], more: [] })),
  };
}

export function armored(kind: string, content: Buffer): string {
  const lines = content.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN PGP ${kind}-----\n\n${lines.join('\n')}\n-----END PGP ${kind}-----\n`;
}

function signature(
  by: { fingerprint: Buffer; privateKey: KeyObject; hash: keyof typeof HASHES; at: number },
  o: { type: number; data: readonly Buffer[]; more: readonly Buffer[] },
): Buffer {
  const hashed = Buffer.concat([
    subpacket(2, u32(by.at)),
    subpacket(33, Buffer.concat([Buffer.from([4]), by.fingerprint])),
    ...o.more,
  ]);
  const unhashed = subpacket(16, by.fingerprint.subarray(12));
  const head = Buffer.concat([Buffer.from([4, o.type, 22, HASHES[by.hash]]), u16(hashed.length), hashed]);
  const digest = createHash(by.hash)
    .update(Buffer.concat([...o.data, head, Buffer.from([4, 0xff]), u32(head.length)]))
    .digest();
  const signed = sign(null, digest, by.privateKey);
  const parts = [
    head,
    u16(unhashed.length),
    unhashed,
    digest.subarray(0, 2),
    mpi(signed.subarray(0, 32)),
    mpi(signed.subarray(32)),
  ];
  return Buffer.concat(parts);
}

function packet(tag: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0xc0 | tag, 0xff]), u32(body.length), body]);
}

function subpacket(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([body.length + 1, type]), body]);
}

function mpi(number: Buffer): Buffer {
  let at = 0;
  while (at < number.length - 1 && number[at] === 0) at += 1;
  const bytes = number.subarray(at);
  return Buffer.concat([u16((bytes.length - 1) * 8 + (32 - Math.clz32(bytes[0] ?? 0))), bytes]);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
