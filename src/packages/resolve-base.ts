import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { canonicalJson, mapBounded, tempFolder, type Clock, type Json, type Random, type Wait } from '../base/index.ts';
import { digestOf, hexOf } from '../blob/index.ts';
import type { AptConfig } from './apt-config.ts';
import { keepNewest, markUsed } from './keep-newest.ts';
import { keyringBytes } from './keyring.ts';
import { formatLock, parseLock, type Lock, type LockSource } from './lock.ts';
import type { MirrorAccess } from './mirror.ts';
import { openPackageIndex } from './package-index.ts';
import type { BaseRequest } from './reference.ts';
import { fetchRelease, type Release } from './release.ts';
import { resolvePackages } from './resolve.ts';
import { mirrorLogins, sourcesFor } from './suite-sources.ts';

export interface ResolveBaseOptions extends Wait {
  readonly http: MirrorAccess['http'];
  readonly config: AptConfig;
  /** Debian's name of the architecture. */
  readonly architecture: string;
  /** A folder for indexes and earlier answers; may be shared and may be emptied at any time. */
  readonly cache: string;
  /** A folder for temporary files, on the same file system. */
  readonly scratch: string;
  readonly clock: Clock;
  readonly random: Random;
  /** A key file that alone may sign. */
  readonly keyring?: string | undefined;
  readonly debianKeyrings?: readonly string[] | undefined;
  readonly verifier?: string | undefined;
  readonly retryDelay?: number | undefined;
  readonly onProgress?: ((event: ResolveEvent) => void) | undefined;
}

export type ResolveEvent =
  | { readonly kind: 'release'; readonly suite: string; readonly uri: string; readonly signers: readonly string[] }
  /** A suite that was only guessed does not exist. */
  | { readonly kind: 'absent'; readonly suite: string }
  | { readonly kind: 'index'; readonly suite: string; readonly bytes: number };

/** Changes whenever the same indexes would give another answer. */
const RESOLVER = 1;
/** Answers that are remembered. */
const KEPT = 200;

/**
 * What a base is made of, now: the Release files are fetched and verified, the indexes opened, the dependencies resolved. The answer for the same Release files is remembered.
 * Throws the errors of `sourcesFor`, `fetchRelease`, `openPackageIndex` and `resolvePackages`.
 */
export async function resolveBase(request: BaseRequest, o: ResolveBaseOptions): Promise<Lock> {
  const access = {
    http: o.http,
    logins: mirrorLogins(o.config, request.mirror, request.securityMirror),
    retryDelay: o.retryDelay,
    signal: o.signal,
  };
  mkdirSync(o.scratch, { recursive: true });
  const wanted = sourcesFor(request.suite, o.config, request);
  const found = await mapBounded(wanted, 4, async (source) => {
    const release = await fetchRelease(source, { ...o, ...access });
    if (release) o.onProgress?.({ kind: 'release', suite: source.suite, uri: release.uri, signers: release.signers });
    else o.onProgress?.({ kind: 'absent', suite: source.suite });
    return release;
  });
  const releases = found.filter((release) => release !== undefined);
  const sources = releases.map(lockSource);
  const key = {
    resolver: RESOLVER,
    request: request as unknown as Json,
    architecture: o.architecture,
    sources: sources as unknown as Json,
  };
  const remembered = join(o.cache, 'locks', `${hexOf(digestOf(canonicalJson(key)))}.json`);
  const known = recall(remembered);
  if (known) {
    markUsed(remembered, o.clock.now());
    return known;
  }
  const parts = releases.flatMap((release, from) =>
    request.components.map((component) => ({ release, from, component })),
  );
  const indexes = await mapBounded(parts, 2, async ({ release, component }) => {
    const { suite } = release.source;
    return openPackageIndex(release, {
      ...access,
      component,
      architecture: o.architecture,
      cache: join(o.cache, 'indexes'),
      scratch: o.scratch,
      random: o.random,
      clock: o.clock,
      onBytes: (bytes) => o.onProgress?.({ kind: 'index', suite, bytes }),
    });
  });
  const chosen = resolvePackages(indexes, {
    packages: request.packages,
    architecture: o.architecture,
    prefer: ['usr-is-merged'],
  });
  const lock: Lock = {
    version: 1,
    distribution: request.distribution,
    suite: request.suite,
    variant: request.variant,
    architecture: o.architecture,
    epoch: releases[0]?.date ?? 0,
    requested: [...new Set(request.packages)].sort(),
    sources,
    packages: chosen.map(({ record, index, auto, base }) => ({
      name: record.name,
      version: record.version,
      architecture: record.architecture,
      digest: `sha256:${record.sha256}`,
      size: record.size,
      path: record.path,
      from: parts[index]?.from ?? 0,
      source: sourcePackage(record),
      ...(base ? { base } : {}),
      ...(auto ? { auto } : {}),
    })),
  };
  remember(remembered, lock, o);
  return lock;
}

function lockSource(release: Release): LockSource {
  const { source, keyring } = release;
  return {
    uris: [release.uri, ...source.uris.filter((uri) => uri !== release.uri)],
    suite: source.suite,
    components: source.components,
    ...(source.trusted ? { trusted: true } : {}),
    ...(source.checkValidUntil ? {} : { checkValidUntil: false }),
    ...(source.checkDate ? {} : { checkDate: false }),
    ...(keyring && !keyring.isDebian ? { keyring: keyringBytes(keyring).toString('base64') } : {}),
    release: {
      digest: release.digest,
      codename: release.codename,
      date: release.date,
      ...(release.validUntil === undefined ? {} : { validUntil: release.validUntil }),
      signers: release.signers,
    },
  };
}

/** Source of a binary package: the field is absent when name and version are the same (Policy 5.6.1). */
function sourcePackage(record: { name: string; version: string; source: string }): { name: string; version: string } {
  const match = /^(\S+)(?:\s*\((\S+)\))?$/.exec(record.source);
  return { name: match?.[1] ?? record.name, version: match?.[2] ?? record.version };
}

function recall(path: string): Lock | undefined {
  try {
    return parseLock(readFileSync(path, 'utf8'), path);
  } catch {
    return undefined;
  }
}

function remember(path: string, lock: Lock, o: { scratch: string; random: Random; clock: Clock }): void {
  using folder = tempFolder(o.scratch, o.random);
  const temporary = join(folder.path, 'lock');
  writeFileSync(temporary, formatLock(lock));
  mkdirSync(dirname(path), { recursive: true });
  renameSync(temporary, path);
  markUsed(path, o.clock.now());
  keepNewest(dirname(path), KEPT);
}
