import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { messageOf } from '../base/index.ts';
import type { AptConfig } from './apt-config.ts';
import { packagesError } from './errors.ts';
import type { SuiteSource } from './suite-sources.ts';

/** The keys that may sign a source. */
export interface Keyring {
  /** OpenPGP key files, binary or armored. */
  readonly files: readonly string[];
  /** An armored key given as text. */
  readonly key?: string | undefined;
  /** Only these keys of the files, by fingerprint; all when empty. */
  readonly fingerprints: readonly string[];
  /** The keys are those that Debian's own keyring package brings into every base. */
  readonly isDebian: boolean;
}

const DEBIAN_KEYRINGS: readonly string[] = [
  '/usr/share/keyrings/debian-archive-keyring.gpg',
  '/usr/share/keyrings/debian-archive-keyring.pgp',
];

/**
 * The keyring for a source: `keyring` when one is named, else what the source is signed by, else Debian's archive keyring, else what apt trusts.
 * Throws `KEYRING_MISSING`.
 */
export function keyringFor(
  source: SuiteSource,
  config: AptConfig,
  o: { keyring?: string | undefined; debianKeyrings?: readonly string[] | undefined } = {},
): Keyring {
  const debian = (o.debianKeyrings ?? DEBIAN_KEYRINGS).find((file) => existsSync(file));
  if (o.keyring !== undefined) return ofFiles([o.keyring]);
  if (source.signedBy?.key !== undefined)
    return { files: [], key: source.signedBy.key, fingerprints: [], isDebian: false };
  const { files = [], fingerprints = [] } = source.signedBy ?? {};
  if (files.length > 0) return { ...ofFiles(files), fingerprints };
  if (debian !== undefined && fingerprints.length === 0) return ofFiles([debian]);
  const trusted = [...(debian === undefined ? [] : [debian]), ...config.trusted];
  if (trusted.length === 0)
    throw packagesError('KEYRING_MISSING', `verify suite "${source.suite}": no keyring of Debian's archive was found`, {
      remedy: 'Install debian-archive-keyring, or name a key file with --keyring FILE.',
    });
  return { files: trusted, fingerprints, isDebian: fingerprints.length === 0 };
}

/** All keys of a keyring as one binary OpenPGP keyring. */
export function keyringBytes(keyring: Keyring): Buffer {
  const parts: Buffer[] = keyring.key === undefined ? [] : [dearmored(Buffer.from(keyring.key))];
  for (const file of keyring.files) {
    try {
      parts.push(dearmored(readFileSync(file)));
    } catch (error) {
      throw packagesError('KEYRING_MISSING', `read the keyring "${file}": ${messageOf(error)}`, { cause: error });
    }
  }
  return Buffer.concat(parts);
}

/** Key files for the verifier, below `folder` where they had to be converted. */
export function keyringFiles(keyring: Keyring, folder: string): string[] {
  const files = keyring.files.map((file, index) => {
    let content: Buffer;
    try {
      content = readFileSync(file);
    } catch (error) {
      throw packagesError('KEYRING_MISSING', `read the keyring "${file}": ${messageOf(error)}`, { cause: error });
    }
    return isArmored(content) ? written(join(folder, `key-${index}.gpg`), dearmored(content)) : file;
  });
  return keyring.key === undefined
    ? files
    : [...files, written(join(folder, 'key.gpg'), dearmored(Buffer.from(keyring.key)))];
}

/** The binary form of OpenPGP data; armor (RFC 9580, 6.2) is taken off, block after block. */
export function dearmored(content: Buffer): Buffer {
  if (!isArmored(content)) return content;
  const parts: Buffer[] = [];
  const blocks = content.toString('latin1').replaceAll('\r\n', '\n');
  for (const [, body = ''] of blocks.matchAll(/-----BEGIN PGP [^\n]+-----\n([^]*?)-----END PGP [^\n]+-----/g)) {
    const start = body.search(/(?:^|\n)[ \t]*\n/);
    const lines = (start < 0 ? body : body.slice(start)).split('\n').map((line) => line.trim());
    parts.push(
      Buffer.from(
        lines.filter((line) => line !== '' && !line.startsWith('=') && !line.includes(':')).join(''),
        'base64',
      ),
    );
  }
  return Buffer.concat(parts);
}

function ofFiles(files: readonly string[]): Keyring {
  const isDebian = files.every((file) => basename(file).startsWith('debian-archive-'));
  return { files, fingerprints: [], isDebian };
}

function isArmored(content: Buffer): boolean {
  return content.subarray(0, 4096).includes('-----BEGIN PGP');
}

function written(path: string, content: Buffer): string {
  writeFileSync(path, content);
  return path;
}
