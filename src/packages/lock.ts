import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { canonicalJson, hasErrno, messageOf, type Json, type Random } from '../base/index.ts';
import { digestOf, isDigest, type Digest } from '../blob/index.ts';
import { packagesError } from './errors.ts';
import type { BaseVariant } from './reference.ts';

/** Everything that decides a base, byte for byte, and how it was vouched for. */
export interface Lock {
  readonly version: 1;
  readonly distribution: 'debian';
  readonly suite: string;
  readonly variant: BaseVariant;
  /** Debian's name. */
  readonly architecture: string;
  /** Date of the suite's Release file, seconds since the epoch: no file of the base is newer. */
  readonly epoch: number;
  /** What was asked for on top of the base system. */
  readonly requested: readonly string[];
  readonly sources: readonly LockSource[];
  /** Sorted by name. */
  readonly packages: readonly LockPackage[];
}

export interface LockSource {
  /** Mirrors, the one that was used first; also what apt in the base will use. Never with a login. */
  readonly uris: readonly string[];
  readonly suite: string;
  readonly components: readonly string[];
  /** Not verified, because apt was told to trust it. */
  readonly trusted?: true | undefined;
  /** Dates that apt was told not to check; apt in the base is told the same. */
  readonly checkValidUntil?: false | undefined;
  readonly checkDate?: false | undefined;
  /** Base64 of the keyring, where it is not the one that Debian's packages bring. */
  readonly keyring?: string | undefined;
  /** Where the packages' digests come from. Evidence: not part of the lock's digest. */
  readonly release: {
    readonly digest: Digest;
    readonly codename: string;
    /** Seconds since the epoch. */
    readonly date: number;
    readonly validUntil?: number | undefined;
    /** Fingerprints. */
    readonly signers: readonly string[];
  };
}

export interface LockPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly digest: Digest;
  readonly size: number;
  /** Of the .deb below its source's address. */
  readonly path: string;
  /** Number of the source it comes from. */
  readonly from: number;
  /** Source package and its version. */
  readonly source: { readonly name: string; readonly version: string };
  /** Part of the base system, which is unpacked before anything can run; the others are installed into it. */
  readonly base?: true | undefined;
  /** Only there because another package needs it. */
  readonly auto?: true | undefined;
}

/** Names the content of a base: equal for locks that give the same bytes. The evidence in `release` has no part in it. */
export function lockDigest(lock: Lock): Digest {
  const sources = lock.sources.map((source) => ({ ...source, release: undefined }));
  return digestOf(canonicalJson({ ...lock, sources } as unknown as Json));
}

/** The lock file's text: canonical, a line for each package, so that a diff shows what changed. */
export function formatLock(lock: Lock): string {
  const { packages, sources, ...head } = lock;
  const lines = [
    ...Object.keys(head)
      .sort()
      .map((key) => `  ${JSON.stringify(key)}: ${canonicalJson(head[key as keyof typeof head])},`),
    '  "packages": [',
    ...packages.map(
      (item, index) => `    ${canonicalJson(item as unknown as Json)}${index + 1 < packages.length ? ',' : ''}`,
    ),
    '  ],',
    '  "sources": [',
    ...sources.map(
      (item, index) => `    ${canonicalJson(item as unknown as Json)}${index + 1 < sources.length ? ',' : ''}`,
    ),
    '  ]',
  ];
  return `{\n${lines.join('\n')}\n}\n`;
}

/** Reads a lock file's text. Throws `LOCK_INVALID`. */
export function parseLock(text: string, file = 'lock file'): Lock {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(file, messageOf(error), error);
  }
  const problem = problemOf(value);
  if (problem !== undefined) throw invalid(file, problem);
  return value as Lock;
}

/** Reads a lock file. Throws `LOCK_INVALID`; undefined when there is none. */
export function readLock(path: string): Lock | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  return parseLock(text, path);
}

/** Writes a lock file, whole or not at all. */
export function writeLock(path: string, lock: Lock, o: { random: Random }): void {
  const temporary = `${path}.${o.random.hex(4)}.tmp`;
  try {
    writeFileSync(temporary, formatLock(lock));
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function problemOf(value: unknown): string | undefined {
  if (!isObject(value)) return 'not an object';
  if (value['version'] !== 1) return `version ${JSON.stringify(value['version'])} is not supported`;
  if (value['distribution'] !== 'debian') return '"distribution" is not "debian"';
  for (const key of ['suite', 'architecture'])
    if (typeof value[key] !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9./_-]*$/.test(value[key]))
      return `"${key}" is missing or not a name`;
  if (value['variant'] !== 'minbase' && value['variant'] !== 'slim') return '"variant" is neither "minbase" nor "slim"';
  if (!isCount(value['epoch'])) return '"epoch" is not a number of seconds';
  if (!isTexts(value['requested'])) return '"requested" is not a list of texts';
  const { sources, packages } = value;
  if (!Array.isArray(sources) || sources.length === 0) return '"sources" is missing or empty';
  if (!Array.isArray(packages) || packages.length === 0) return '"packages" is missing or empty';
  for (const [index, source] of sources.entries()) {
    const problem = sourceProblem(source);
    if (problem !== undefined) return `source ${index}: ${problem}`;
  }
  let last = '';
  for (const item of packages as unknown[]) {
    const problem = packageProblem(item, sources.length);
    if (problem !== undefined) return problem;
    const { name } = item as LockPackage;
    if (name <= last) return `package "${name}" is out of order or there twice`;
    last = name;
  }
  return undefined;
}

function sourceProblem(value: unknown): string | undefined {
  if (!isObject(value)) return 'not an object';
  if (!isTexts(value['uris']) || value['uris'].length === 0) return '"uris" is missing';
  if (!value['uris'].every((uri) => /^(?:https?|file|copy):\/[^\s]+$/.test(uri)))
    return '"uris" holds what is no address of a mirror';
  if (typeof value['suite'] !== 'string' || !/^\S+$/.test(value['suite'])) return '"suite" is missing';
  if (!isTexts(value['components']) || !value['components'].every((name) => /^\S+$/.test(name)))
    return '"components" is not a list of names';
  const { release } = value;
  if (!isObject(release) || typeof release['digest'] !== 'string' || !isDigest(release['digest']))
    return '"release" has no digest';
  return isCount(release['date']) && isTexts(release['signers']) ? undefined : '"release" is not complete';
}

function packageProblem(value: unknown, sources: number): string | undefined {
  if (!isObject(value) || typeof value['name'] !== 'string') return 'a package has no name';
  const at = `package "${value['name']}"`;
  if (!/^[a-z0-9][a-z0-9.+-]*$/.test(value['name'])) return `${at}: not a name`;
  if (typeof value['version'] !== 'string' || !/^[A-Za-z0-9.+:~-]+$/.test(value['version']))
    return `${at}: "version" is not one`;
  if (typeof value['architecture'] !== 'string' || !/^[a-z0-9-]+$/.test(value['architecture']))
    return `${at}: "architecture" is not one`;
  if (typeof value['digest'] !== 'string' || !isDigest(value['digest'])) return `${at}: "digest" is not one`;
  if (!isCount(value['size'])) return `${at}: "size" is not a number of bytes`;
  const { path, from } = value;
  if (typeof path !== 'string' || path.startsWith('/') || path.split('/').includes('..'))
    return `${at}: "path" leads elsewhere`;
  if (!isCount(from) || from >= sources) return `${at}: "from" is not the number of a source`;
  return isObject(value['source']) ? undefined : `${at}: "source" is missing`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function invalid(file: string, detail: string, cause?: unknown): Error {
  return packagesError('LOCK_INVALID', `read the lock "${file}": ${detail}`, {
    cause,
    remedy: 'Make it anew, or take it from version control.',
  });
}
