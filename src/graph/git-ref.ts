import { posix } from 'node:path';
import { graphError } from './errors.ts';

/** What an address of files in a git repository says (BuildKit's frontend/dockerfile/dfgitutil). */
export interface GitRef {
  /** What `git` takes for a remote: no fragment, no query. */
  readonly remote: string;
  /** Branch, tag, full reference or commit. */
  readonly ref?: string | undefined;
  readonly subdir?: string | undefined;
  /** Hex digits of a commit. */
  readonly checksum?: string | undefined;
  readonly keepGitDir?: boolean | undefined;
  readonly submodules?: boolean | undefined;
  readonly mtime?: 'checkout' | 'commit' | undefined;
  readonly fetchByCommit?: boolean | undefined;
  /** `github.com/…`, which may as well be a path: for build contexts only. */
  readonly likePath?: boolean | undefined;
}

const SCP = /^[a-zA-Z0-9-_]+@[a-zA-Z0-9-.]+:/;
const REMEDY = 'Write it as in "https://host/repository.git?tag=v1&subdir=folder" or "…#v1:folder".';

/**
 * Reads `https://…/x.git`, `http://…/x.git`, `git://…`, `ssh://…`, `user@host:path` and `github.com/…`, each with `#ref:subdir` or with `?ref=|branch=|tag=`, `subdir=`, `checksum=|commit=`, `keep-git-dir`,
 * `submodules`, `mtime=`, `fetch-by-commit`. `local`: `file://…` too. Undefined for what is no repository. Throws `GIT_ADDRESS_INVALID`.
 */
export function parseGitRef(text: string, o: { readonly local?: boolean | undefined } = {}): GitRef | undefined {
  const likePath = text.startsWith('github.com/');
  const scheme = likePath ? 'https' : /^([a-zA-Z0-9+]+):\/\//.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined ? !SCP.test(text) : !SCHEMES.has(scheme) && !(scheme === 'file' && o.local))
    return undefined;
  const [beforeFragment, fragment] = cut(text, '#');
  const [address, query] = cut(beforeFragment, '?');
  if (
    (scheme === 'http' || scheme === 'https') &&
    !likePath &&
    !/^[^/]*\/\/[^/]+\/(?:.*)\.git$/i.test(decoded(address))
  )
    return undefined;
  const remote = likePath ? `https://${address}` : address;
  const [ref, subdir] = cut(scheme === undefined ? fragment : decoded(fragment), ':');
  const from = { ref: ref || undefined, subdir: cleanSubdir(subdir) };
  const all = withQuery({ remote, ...from, ...(likePath ? { likePath } : {}) }, new URLSearchParams(query));
  for (const [what, value] of Object.entries({ reference: all.ref, address: remote }))
    if (value?.startsWith('-')) throw wrong(`${what} "${value}" begins with "-"`);
  return all;
}

const SCHEMES: ReadonlySet<string> = new Set(['http', 'https', 'ssh', 'git', 'git+ssh']);

function withQuery(address: GitRef, query: URLSearchParams): GitRef {
  const found: { -readonly [name in keyof GitRef]: GitRef[name] } = { ...address };
  let tag: string | undefined;
  let branch: string | undefined;
  const agree = (name: 'ref' | 'subdir', value: string): void => {
    const before = found[name];
    if (before !== undefined && before !== value) throw wrong(`${name} conflicts: "${before}" vs "${value}"`);
    found[name] = value;
  };
  for (const name of new Set(query.keys())) {
    const [value = '', ...more] = query.getAll(name);
    if (more.length > 0) throw wrong(`query "${name}" has multiple values`);
    if (value === '' && !FLAGS.has(name)) throw wrong(`query "${name}" has no value`);
    switch (name) {
      case 'ref':
      case 'subdir':
        agree(name, value);
        break;
      case 'tag':
        tag = full('refs/tags/', value);
        break;
      case 'branch':
        branch = full('refs/heads/', value);
        break;
      case 'checksum':
      case 'commit':
        found.checksum = value;
        break;
      case 'keep-git-dir':
        found.keepGitDir = flag(name, value);
        break;
      case 'submodules':
        found.submodules = flag(name, value);
        break;
      case 'fetch-by-commit':
        found.fetchByCommit = flag(name, value);
        break;
      case 'mtime':
        if (value !== 'checkout' && value !== 'commit')
          throw wrong(`invalid mtime value: "${value}" (must be "checkout" or "commit")`);
        found.mtime = value;
        break;
      default:
        throw wrong(`unexpected query "${name}"`);
    }
  }
  if (tag !== undefined && branch !== undefined) throw wrong('branch conflicts with tag');
  if (tag !== undefined) agree('ref', tag);
  if (branch !== undefined) agree('ref', branch);
  found.subdir = cleanSubdir(found.subdir ?? '');
  return found;
}

const FLAGS: ReadonlySet<string> = new Set(['keep-git-dir', 'submodules', 'fetch-by-commit']);

/** Go's strconv.ParseBool; no value is true. */
function flag(name: string, value: string): boolean {
  if (/^(?:|1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(?:0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw wrong(`invalid ${name} value: "${value}"`);
}

function full(prefix: string, name: string): string {
  return name.startsWith(prefix) ? name : prefix + name;
}

function cut(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** Below the root of the repository, whatever ".." is in it. */
function cleanSubdir(path: string): string | undefined {
  return posix.join('/', path).replace(/^\/|\/$/g, '') || undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong('it has a "%" with no two hex digits after it');
  }
}

/** The address itself is not quoted: it may hold a password. */
function wrong(detail: string): Error {
  return graphError('GIT_ADDRESS_INVALID', `read the address of a git repository: ${detail}`, { remedy: REMEDY });
}
