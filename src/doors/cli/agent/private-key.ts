import { createPrivateKey, sign, type KeyObject, type webcrypto } from 'node:crypto';
import { SshReader, sshInteger, sshString } from './ssh-wire.ts';

/** A key that an ssh agent can sign with. */
export interface SshKey {
  /** The public key as ssh writes it (RFC 4253, section 6.6). */
  readonly blob: Buffer;
  readonly comment: string;
  /** A signature as ssh writes it; `flags` of the agent protocol choose the hash of RSA. */
  sign(data: Uint8Array, flags: number): Buffer;
}

/** Why a file is no key that can be used. */
export class KeyFault extends Error {}

/**
 * Reads a private key: OpenSSH's own format (openssh PROTOCOL.key), PKCS#8, PKCS#1 or SEC1 in PEM; Ed25519, RSA, or ECDSA on the NIST curves. Throws `KeyFault`.
 */
export function readPrivateKey(text: string): SshKey {
  const own = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]+?)-----END OPENSSH PRIVATE KEY-----/.exec(text)?.[1];
  try {
    if (own !== undefined) return readOpenSsh(Buffer.from(own, 'base64'));
    if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) throw new KeyFault('it is no private key');
    if (/ENCRYPTED/.test(text)) throw encrypted();
    return keyOf(createPrivateKey(text), '');
  } catch (error) {
    if (error instanceof KeyFault) throw error;
    throw new KeyFault('it is damaged, or of a kind that is not known');
  }
}

function encrypted(): KeyFault {
  return new KeyFault('it is protected by a passphrase');
}

const MAGIC = 'openssh-key-v1\0';

function readOpenSsh(bytes: Buffer): SshKey {
  if (bytes.subarray(0, MAGIC.length).toString('latin1') !== MAGIC) throw new KeyFault('it is damaged');
  const outer = new SshReader(bytes.subarray(MAGIC.length));
  const cipher = outer.text();
  outer.string();
  outer.string();
  if (outer.number() !== 1) throw new KeyFault('it holds several keys');
  outer.string();
  if (cipher !== 'none') throw encrypted();
  const inner = new SshReader(outer.string());
  inner.number();
  inner.number();
  const jwk = readJwk(inner);
  return keyOf(createPrivateKey({ key: jwk, format: 'jwk' }), inner.text());
}

type JsonWebKey = webcrypto.JsonWebKey;

function readJwk(inner: SshReader): JsonWebKey {
  const type = inner.text();
  if (type === 'ssh-ed25519') {
    const x = inner.string();
    const seed = inner.string().subarray(0, 32);
    return { kty: 'OKP', crv: 'Ed25519', x: url(x), d: url(seed) };
  }
  if (type === 'ssh-rsa') {
    const [n, e, d, qi, p, q] = Array.from({ length: 6 }, () => inner.string()) as [
      Buffer,
      Buffer,
      Buffer,
      Buffer,
      Buffer,
      Buffer,
    ];
    const rest = (prime: Buffer): Buffer => bytesOf(numberOf(d) % (numberOf(prime) - 1n));
    const all = { n, e, d, p, q, dp: rest(p), dq: rest(q), qi };
    const written = Object.entries(all).map(([name, value]) => [name, url(bytesOf(numberOf(value)))]);
    return { kty: 'RSA', ...Object.fromEntries(written) } as JsonWebKey;
  }
  const curve = CURVES.find(({ ssh }) => type === `ecdsa-sha2-${ssh}`);
  if (!curve) throw new KeyFault(`keys of type "${type}" are not supported`);
  inner.string();
  const point = inner.string().subarray(1);
  const d = bytesOf(numberOf(inner.string()));
  const [x, y] = [point.subarray(0, curve.size), point.subarray(curve.size)];
  const padded = Buffer.concat([Buffer.alloc(curve.size - d.length), d]);
  return { kty: 'EC', crv: curve.jwk, x: url(x), y: url(y), d: url(padded) };
}

const CURVES = [
  { ssh: 'nistp256', jwk: 'P-256', size: 32, hash: 'sha256' },
  { ssh: 'nistp384', jwk: 'P-384', size: 48, hash: 'sha384' },
  { ssh: 'nistp521', jwk: 'P-521', size: 66, hash: 'sha512' },
] as const;

function keyOf(key: KeyObject, comment: string): SshKey {
  const { kty, crv, n, e, x, y } = key.export({ format: 'jwk' });
  const part = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64url');
  if (kty === 'RSA')
    return {
      blob: Buffer.concat([sshString('ssh-rsa'), sshInteger(part(e)), sshInteger(part(n))]),
      comment,
      sign: (data, flags) => {
        const [name, hash] =
          (flags & 4) !== 0
            ? ['rsa-sha2-512', 'sha512']
            : (flags & 2) !== 0
              ? ['rsa-sha2-256', 'sha256']
              : ['ssh-rsa', 'sha1'];
        return Buffer.concat([sshString(name), sshString(sign(hash, data, key))]);
      },
    };
  if (crv === 'Ed25519')
    return {
      blob: Buffer.concat([sshString('ssh-ed25519'), sshString(part(x))]),
      comment,
      sign: (data) => Buffer.concat([sshString('ssh-ed25519'), sshString(sign(null, data, key))]),
    };
  const curve = CURVES.find(({ jwk }) => jwk === crv);
  if (!curve) throw new KeyFault(`keys of type "${crv ?? kty}" are not supported`);
  const name = `ecdsa-sha2-${curve.ssh}`;
  const point = Buffer.concat([Buffer.of(4), part(x), part(y)]);
  return {
    blob: Buffer.concat([sshString(name), sshString(curve.ssh), sshString(point)]),
    comment,
    sign: (data) => {
      const both = sign(curve.hash, data, { key, dsaEncoding: 'ieee-p1363' });
      const [r, s] = [both.subarray(0, curve.size), both.subarray(curve.size)];
      return Buffer.concat([sshString(name), sshString(Buffer.concat([sshInteger(r), sshInteger(s)]))]);
    },
  };
}

function url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

function numberOf(bytes: Buffer): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${bytes.toString('hex')}`);
}

function bytesOf(value: bigint): Buffer {
  const hex = value.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
}
