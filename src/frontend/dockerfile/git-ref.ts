import { redactUrl } from '../../base/index.ts';
import type { GitSource } from '../../graph/index.ts';
import { cleanPath } from '../../tree/index.ts';
import { dockerfileError } from './errors.ts';
import { parseBool, quote } from './go-text.ts';

/** A git repository as Dockerfiles and build contexts name one (BuildKit's dfgitutil). */
export interface GitRef extends Omit<GitSource, 'type' | 'commit'> {
  /** `github.com/…` without a scheme: a repository only where a build context is named, else a path. */
  readonly looksLocal: boolean;
}

const SCP = /^([a-zA-Z0-9-_]+)@([a-zA-Z0-9-.]+):([^?#]*)(?:\?([^#]*))?(?:#([^]*))?$/;
const SCHEME = /^([a-zA-Z0-9]+):\/\//;

/** Reads what names a git repository: `https://….git`, `git://`, `ssh://`, `user@host:path`, `github.com/…`, each with `#ref:folder` or a query; undefined for anything else. Throws `DOCKERFILE_INSTRUCTION` without a place. */
export function parseGitRef(text: string): GitRef | undefined {
  if (text.startsWith('./') || text.startsWith('../')) return undefined;
  const parts = partsOf(text);
  if (parts === undefined) return undefined;
  const colon = parts.fragment.indexOf(':');
  const ref = colon < 0 ? parts.fragment : parts.fragment.slice(0, colon);
  const subdir = cleanPath(`/${colon < 0 ? '' : parts.fragment.slice(colon + 1)}`).slice(1);
  const base = { url: parts.url, looksLocal: parts.looksLocal };
  const found = { ...base, ...fromQuery(new URLSearchParams(parts.query), { ref, subdir }) };
  if (found.ref?.startsWith('-') === true)
    throw wrong(`invalid git reference ${quote(found.ref)}`, 'A branch, tag or commit cannot begin with "-".');
  return found;
}

interface Parts {
  readonly url: string;
  readonly query: string;
  readonly fragment: string;
  readonly looksLocal: boolean;
}

function partsOf(text: string): Parts | undefined {
  if (text.startsWith('github.com/')) return addressParts(`https://${text}`, true);
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined) {
    if (!['http', 'https', 'ssh', 'git'].includes(scheme)) return undefined;
    const parts = addressParts(text, false);
    // An address of the web is a repository only when it ends so.
    return scheme.startsWith('http') && !parts.url.endsWith('.git') ? undefined : parts;
  }
  const scp = SCP.exec(text);
  if (scp === null || (scp[3] ?? '') === '') return undefined;
  const [, user = '', host = '', path = '', query = '', fragment = ''] = scp;
  return { url: `${user}@${host}:${path}`, query, fragment, looksLocal: false };
}

function addressParts(text: string, looksLocal: boolean): Parts {
  const hash = text.indexOf('#');
  const address = hash < 0 ? text : text.slice(0, hash);
  const mark = address.indexOf('?');
  return {
    url: mark < 0 ? address : address.slice(0, mark),
    query: mark < 0 ? '' : address.slice(mark + 1),
    fragment: hash < 0 ? '' : decoded(text.slice(hash + 1)),
    looksLocal,
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const SWITCHES = ['submodules', 'keep-git-dir', 'fetch-by-commit'];
const KEYS = ['ref', 'tag', 'branch', 'subdir', 'checksum', 'commit', 'mtime', ...SWITCHES];

type Details = Omit<GitRef, 'url' | 'looksLocal'>;

function fromQuery(query: URLSearchParams, fragment: { readonly ref: string; readonly subdir: string }): Details {
  const values = new Map<string, string>();
  for (const [key, value] of query) {
    if (values.has(key)) throw wrong(`query ${quote(key)} has multiple values`);
    if (value === '' && !SWITCHES.includes(key)) throw wrong(`query ${quote(key)} has no value`);
    if (!KEYS.includes(key)) throw wrong(`unexpected query ${quote(key)}`, `Use ${KEYS.join(', ')}.`);
    values.set(key, value);
  }
  const agreed = (what: string, a: string, b: string): string => {
    if (a !== '' && b !== '' && a !== b) throw wrong(`${what} conflicts: ${quote(a)} vs ${quote(b)}`);
    return b || a;
  };
  const [tag, branch] = [prefixed('refs/tags/', values.get('tag')), prefixed('refs/heads/', values.get('branch'))];
  if (tag !== '' && branch !== '') throw wrong('branch conflicts with tag');
  const ref = agreed('ref', agreed('ref', fragment.ref, values.get('ref') ?? ''), tag || branch);
  const mtime = values.get('mtime');
  if (mtime !== undefined && mtime !== 'checkout' && mtime !== 'commit')
    throw wrong(`invalid mtime value: ${quote(mtime)} (must be "checkout" or "commit")`);
  return {
    ref: ref || undefined,
    subdir: agreed('subdir', fragment.subdir, values.get('subdir') ?? '') || undefined,
    checksum: values.get('commit') ?? values.get('checksum'),
    keepGitDir: switchOf('keep-git-dir', values),
    submodules: switchOf('submodules', values),
    fetchByCommit: switchOf('fetch-by-commit', values),
    mtime,
  };
}

function prefixed(prefix: string, name: string | undefined): string {
  if (name === undefined) return '';
  return name.startsWith(prefix) ? name : prefix + name;
}

function switchOf(key: string, values: ReadonlyMap<string, string>): boolean | undefined {
  const text = values.get(key);
  if (text === undefined) return undefined;
  const value = text === '' ? true : parseBool(text);
  if (value === undefined) throw wrong(`invalid ${key} value: ${quote(text)}`);
  return value;
}

/** An address as it may be shown: without a password, and without a query that may hold one. */
export function redactedRemote(address: string): string {
  if (!address.includes('://')) return address;
  const hash = address.indexOf('#');
  return redactUrl(address) + (hash < 0 ? '' : address.slice(hash));
}

/** The source op's data: what was left out or is the default is absent, so that two spellings of one thing have one key. */
export function gitSource(ref: GitRef): GitSource {
  const { url, looksLocal, keepGitDir, submodules, fetchByCommit, mtime, ...rest } = ref;
  return {
    ...rest,
    type: 'git',
    url: looksLocal && !url.includes('://') ? `https://${url}` : url,
    keepGitDir: keepGitDir || undefined,
    submodules: submodules === false ? false : undefined,
    fetchByCommit: fetchByCommit || undefined,
    mtime: mtime === 'commit' ? mtime : undefined,
  };
}

function wrong(message: string, remedy = 'Write address.git#ref:folder, or ?ref=…&subdir=….'): Error {
  return dockerfileError('DOCKERFILE_INSTRUCTION', message, { remedy });
}
