import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findTool, runTool, tempFolder, type Random, type Wait } from '../base/index.ts';
import { packagesError } from './errors.ts';
import { keyringFiles, type Keyring } from './keyring.ts';

export interface SignatureOptions extends Wait {
  readonly keyring: Keyring;
  /** What is verified, for messages: a redacted URL. */
  readonly what: string;
  /** A folder for temporary files. */
  readonly scratch: string;
  readonly random: Random;
  /** `gpgv` or `sqv` by path; by default the first of them that is on PATH. */
  readonly verifier?: string | undefined;
}

/** A text whose signature is good, and the fingerprints of the primary keys that made it, sorted. */
export interface Verified {
  readonly text: Buffer;
  readonly signers: readonly string[];
}

/**
 * Verifies a clear-signed message, or a text with a detached signature, against a keyring. Only the text that the verifier itself gave back is returned.
 * One good signature of a key in the ring is enough; a bad one by a known key, a weak digest, or a key that is expired or revoked is not. Throws `SIGNATURE_BAD`, `VERIFIER_MISSING`.
 */
export async function verifySignature(
  signed: { readonly message: Uint8Array } | { readonly text: Uint8Array; readonly signature: Uint8Array },
  o: SignatureOptions,
): Promise<Verified> {
  const verifier = o.verifier ?? findTool('gpgv') ?? findTool('sqv');
  if (verifier === undefined)
    throw packagesError('VERIFIER_MISSING', `verify ${o.what}: neither gpgv nor sqv is installed`, {
      remedy: 'Install the package gpgv.',
    });
  using folder = tempFolder(o.scratch, o.random);
  const file = (name: string, content: Uint8Array): string => {
    const path = join(folder.path, name);
    writeFileSync(path, content);
    return path;
  };
  const output = join(folder.path, 'verified');
  const keys = keyringFiles(o.keyring, folder.path).flatMap((key) => ['--keyring', key]);
  const isSqv = /(?:^|\/)sqv$/.test(verifier);
  const common = isSqv ? keys : ['--homedir', folder.path, '--status-fd', '1', ...keys];
  const input =
    'message' in signed
      ? [...(isSqv ? ['--cleartext'] : []), '--output', output, file('message', signed.message)]
      : [file('signature', signed.signature), file('text', signed.text)];
  const result = await runTool(verifier, [...common, ...input], { check: false, signal: o.signal });
  const status = result.stdout.toString('latin1');
  const signers = isSqv ? sqvSigners(status, result.code, o) : gpgvSigners(status, o);
  const allowed = o.keyring.fingerprints;
  const matching =
    allowed.length === 0 ? signers : signers.filter(({ names }) => names.some((name) => allowed.includes(name)));
  if (matching.length === 0) throw bad(o, reason(status, result.stderr));
  if ('message' in signed && !existsSync(output)) throw bad(o, 'the verifier gave no text back');
  return {
    text: 'message' in signed ? readFileSync(output) : Buffer.from(signed.text),
    signers: [...new Set(matching.map(({ names }) => names.at(-1) ?? ''))].sort(),
  };
}

interface Signer {
  /** Fingerprint of the key that signed, then that of its primary key. */
  readonly names: readonly string[];
}

/** Reads gpgv's status lines (GnuPG doc/DETAILS): each signature begins with NEWSIG. */
function gpgvSigners(status: string, o: SignatureOptions): Signer[] {
  if (/^\[GNUPG:\] BADSIG /m.test(status)) throw bad(o, 'a signature does not match the text');
  const signers: Signer[] = [];
  for (const part of status.split('[GNUPG:] NEWSIG').slice(1)) {
    if (!/^\[GNUPG:\] GOODSIG /m.test(part)) continue;
    const fields = /^\[GNUPG:\] VALIDSIG (.+)$/m.exec(part)?.[1]?.split(' ');
    if (!fields?.[0] || WEAK_DIGESTS.has(fields[7] ?? '')) continue;
    signers.push({ names: [fields[0], fields[9] ?? fields[0]] });
  }
  return signers;
}

/** OpenPGP digest numbers of MD5, SHA-1 and RIPEMD-160. */
const WEAK_DIGESTS = new Set(['1', '2', '3']);

function sqvSigners(output: string, code: number, o: SignatureOptions): Signer[] {
  if (code !== 0) throw bad(o, 'no valid signature by a key of the keyring');
  return output
    .split('\n')
    .filter((line) => /^[0-9A-F]{40,}$/.test(line))
    .map((line) => ({ names: [line] }));
}

function reason(status: string, stderr: string): string {
  const of = (word: string): string | undefined => new RegExp(`^\\[GNUPG:\\] ${word} (\\S+)`, 'm').exec(status)?.[1];
  const expired = of('EXPKEYSIG') ?? of('EXPSIG');
  if (expired !== undefined) return `the key ${expired} that signed it has expired`;
  const revoked = of('REVKEYSIG');
  if (revoked !== undefined) return `the key ${revoked} that signed it has been revoked`;
  const unknown = [...status.matchAll(/^\[GNUPG:\] NO_PUBKEY (\S+)/gm)].map((match) => match[1]);
  if (unknown.length > 0) return `signed by ${unknown.join(', ')}, which the keyring does not hold`;
  return stderr.trim().split('\n').at(-1) || 'no valid signature by a key of the keyring';
}

function bad(o: SignatureOptions, detail: string): Error {
  return packagesError('SIGNATURE_BAD', `verify ${o.what}: ${detail}`, {
    remedy:
      'Update debian-archive-keyring, or name the right key file with --keyring FILE; if neither helps, distrust the mirror.',
  });
}
