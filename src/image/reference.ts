import { isDigest, parseDigest, type Digest } from '../blob/index.ts';
import { imageError } from './errors.ts';

/** Names an image in a registry, by tag, digest or both; where both are given the digest decides. Made by `parseReference` only. */
export interface Reference {
  /** `host[:port]`, lower case; `docker.io` for Docker Hub (whose server has another name). */
  readonly registry: string;
  /** Path below the registry, as `library/debian`. */
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest?: Digest | undefined;
}

const HUB = 'docker.io';
const HOST =
  /^(?:(?:[a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])(?:\.(?:[a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9]))*|\[[a-f0-9:]+\])$/;
const PATH = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/**
 * Reads a name as Docker does (distribution/reference, normalize.go): `debian` is `docker.io/library/debian:latest`; the first part is a registry when it is `localhost` or
 * holds "." or ":". The tag `latest` is added where there is neither tag nor digest, unless `bare`. Throws `REFERENCE_INVALID` (or the digest's own errors).
 */
export function parseReference(text: string, options: { bare?: boolean } = {}): Reference {
  const bad = (detail: string, remedy?: string): Error =>
    imageError('REFERENCE_INVALID', `read image name "${text}": ${detail}`, { remedy });
  if (text.trim() === '')
    throw bad('it is empty', 'Write a name such as "debian:bookworm" or "host:5000/team/app:1.0".');
  if (/\s/.test(text)) throw bad('it holds white space');
  const scheme = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i.exec(text);
  if (scheme) throw bad('a name has no scheme', `Leave "${scheme[1]}://" out: "${scheme[2]}".`);
  if (/^[a-f0-9]{64}$/.test(text) || isDigest(text))
    throw bad(
      'this is the form of an image ID, which cannot be a name',
      'Name the repository, too: "repository@sha256:...".',
    );

  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : readDigest(text.slice(at + 1), bad);
  const { registry, rest } = splitRegistry(at < 0 ? text : text.slice(0, at));
  checkRegistry(registry, bad);
  const colon = rest.indexOf(':');
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  const repository = colon < 0 ? rest : rest.slice(0, colon);
  checkRepository(repository, bad);
  if (registry.length + 1 + repository.length > 255)
    throw bad('registry and repository are longer than 255 characters');
  if (tag === '') throw bad('there is no tag after ":"', 'Write a tag, or leave the ":" out.');
  if (tag !== undefined && !TAG.test(tag))
    throw bad(
      `tag "${tag}" is not valid`,
      'A tag has letters, digits, "_", "." and "-", does not begin with "." or "-", and has at most 128 characters.',
    );
  return {
    registry,
    repository,
    tag: tag ?? (digest === undefined && options.bare !== true ? 'latest' : undefined),
    digest,
  };
}

/** The one full text of a reference: `docker.io/library/debian:bookworm`. */
export function canonicalReference(reference: Reference): string {
  return `${reference.registry}/${reference.repository}${suffix(reference)}`;
}

/** The text people use: without `docker.io/` and `library/`. */
export function familiarReference(reference: Reference): string {
  const { registry, repository } = reference;
  if (registry !== HUB) return canonicalReference(reference);
  const official = /^library\/([^/]+)$/.exec(repository)?.[1];
  return (official ?? repository) + suffix(reference);
}

/** `registry/repository`: what the tags and digests of one repository share. */
export function repositoryName(reference: Reference): string {
  return `${reference.registry}/${reference.repository}`;
}

function suffix({ tag, digest }: Reference): string {
  return (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`);
}

function splitRegistry(name: string): { registry: string; rest: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isHost = first === 'localhost' || /[.:[]/.test(first);
  let registry = isHost ? first.toLowerCase() : HUB;
  if (registry === 'index.docker.io') registry = HUB;
  const rest = isHost ? name.slice(slash + 1) : name;
  return { registry, rest: registry === HUB && !rest.includes('/') ? `library/${rest}` : rest };
}

type Bad = (detail: string, remedy?: string) => Error;

function checkRegistry(registry: string, bad: Bad): void {
  const split = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(registry);
  const host = split?.[1] ?? '';
  const port = split?.[2];
  if (!HOST.test(host))
    throw bad(
      `"${registry}" is not a registry's host name`,
      host.includes(':') || /^[^[]*:.*:/.test(registry)
        ? 'Write an IPv6 address in brackets: "[::1]:5000/name".'
        : undefined,
    );
  if (port !== undefined && (!/^[0-9]{1,5}$/.test(port) || Number(port) > 65_535 || Number(port) === 0))
    throw bad(`"${port}" is not a port`, 'A port is a number from 1 to 65535.');
}

function checkRepository(repository: string, bad: Bad): void {
  const own = repository.replace(/^library\//, '');
  if (own === '') throw bad('the repository is missing');
  if (own !== own.toLowerCase())
    throw bad(`repository "${own}" has upper-case letters`, `Repository names are lower case: "${own.toLowerCase()}".`);
  for (const part of repository.split('/')) {
    if (part === '')
      throw bad('a part of the repository is empty', 'Parts are separated by one "/", with none at the end.');
    if (!PATH.test(part))
      throw bad(
        `"${part}" is not valid in a repository`,
        'Each part has lower-case letters and digits, separated by ".", "_", "__" or "-".',
      );
  }
}

function readDigest(text: string, bad: Bad): Digest {
  if (text === '')
    throw bad('there is no digest after "@"', 'Write "@sha256:" and 64 hex digits, or leave the "@" out.');
  try {
    return parseDigest(text);
  } catch (error) {
    throw bad(
      `"${text}" is not a digest this program knows`,
      error instanceof Error ? 'A digest is "sha256:" and 64 hex digits.' : undefined,
    );
  }
}
