import { posix } from 'node:path';
import { isDigest, type Digest, type Platform } from '../../../blob/index.ts';
import type { GitSource, HttpSource, ImageSource, LayoutSource, LocalSource, Source } from '../../../graph/index.ts';
import { canonicalReference, parseReference } from '../../../image/index.ts';
import type { SourceOp as WireSource } from '../../gen/buildkit/ops_pb.ts';
import { OpFailure } from './wire-op.ts';

/** What a source op of the wire names; `platform` where it names none. Throws `LLB_INVALID`, and `LLB_UNSUPPORTED` for a scheme or attribute that is not known. */
export function decodeSource(
  wire: WireSource,
  o: { readonly platform: Platform; readonly fail?: OpFailure | undefined },
): Source {
  const { identifier } = wire;
  const fail = o.fail ?? new OpFailure(`source "${identifier.slice(0, 500)}"`, undefined);
  const at = identifier.indexOf('://');
  if (at < 0) throw fail.invalid('identifier', `"${identifier}" has no scheme`);
  const scheme = identifier.slice(0, at);
  const attrs = new Attributes(wire.attrs, fail);
  const c = { platform: o.platform, fail, attrs, scheme, name: identifier.slice(at + 3) };
  const read = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined;
  if (!read) throw fail.unsupported('identifier', `scheme "${scheme}" is not supported`);
  const source = read(c);
  attrs.end();
  return source;
}

interface SourceContext {
  readonly platform: Platform;
  readonly fail: OpFailure;
  readonly attrs: Attributes;
  readonly scheme: string;
  /** After the scheme. */
  readonly name: string;
}

const SCHEMES: Readonly<Record<string, (c: SourceContext) => Source>> = {
  'docker-image': image,
  'oci-layout': layout,
  local,
  git,
  http,
  https: http,
};

function image({ attrs, fail, platform, name }: SourceContext): ImageSource {
  const mode = attrs.take('image.resolvemode') ?? 'default';
  const pull = Object.hasOwn(RESOLVE, mode) ? RESOLVE[mode] : undefined;
  if (!pull) throw fail.invalid('image.resolvemode', `"${mode}" is none`);
  attrs.take('image.recordtype');
  const named = parseReference(name);
  const checksum = attrs.digest('image.checksum');
  if (checksum !== undefined && named.digest !== undefined && named.digest !== checksum)
    throw fail.invalid('image.checksum', `"${checksum}" is not the digest of "${name}"`);
  const reference = canonicalReference({ ...named, digest: named.digest ?? checksum });
  return { type: 'image', reference, platform, pull, layerLimit: attrs.count('image.layerlimit') };
}

/** What strake does at most for BuildKit's modes: its default asks a registry only for what is not there. */
const RESOLVE: Readonly<Record<string, ImageSource['pull']>> = {
  '': 'missing',
  default: 'missing',
  local: 'missing',
  pull: 'always',
};

function layout({ attrs, fail, platform, name }: SourceContext): LayoutSource {
  const at = name.lastIndexOf('@');
  const digest = name.slice(at + 1);
  if (at <= 0 || !isDigest(digest)) throw fail.invalid('identifier', `oci-layout reference "${name}" has no digest`);
  attrs.take('oci.session');
  const store = attrs.take('oci.store') || name.slice(0, at).replace(/:[A-Za-z0-9_][A-Za-z0-9_.-]*$/, '');
  return { type: 'oci-layout', store, digest, platform, layerLimit: attrs.count('oci.layerlimit') };
}

/** The session is the one that asks; what only helps BuildKit to find the files of a build before is not needed. */
function local({ attrs, fail, name }: SourceContext): LocalSource {
  const session = attrs.take('local.session') ?? '';
  for (const hint of ['local.unique', 'local.sharedkeyhint']) attrs.take(hint);
  const differ = attrs.take('local.differ') ?? '';
  if (!['', 'none', 'metadata'].includes(differ)) throw fail.unsupported('local.differ', `"${differ}" is not known`);
  if (attrs.flag('local.metadatatransfer')) throw fail.unsupported('local.metadatatransfer');
  attrs.list('local.metadatatransferexclude');
  const colon = session.indexOf(':');
  return {
    type: 'local',
    name: colon < 0 ? name : `${session.slice(0, colon)}-${name}`,
    include: attrs.list('local.includepattern'),
    exclude: attrs.list('local.excludepatterns'),
    follow: attrs.list('local.followpaths'),
  };
}

/** What git may be told to fetch from: nothing of this machine. */
const TRANSPORT = /^(?:https?|ssh|git|git\+ssh):\/\/|^[a-zA-Z0-9-_]+@[a-zA-Z0-9-.]+:/;

function git({ attrs, fail, name }: SourceContext): GitSource {
  const [address, fragment] = cut(name, '#');
  const [ref, folder] = cut(fragment ?? '', ':');
  const full = attrs.take('git.fullurl') ?? (TRANSPORT.test(address) ? address : `https://${address}`);
  const url = TRANSPORT.test(full) ? full : `https://${full}`;
  const scheme = /^([a-zA-Z0-9+.-]+):/.exec(full)?.[1];
  if (!TRANSPORT.test(full) && scheme !== undefined && /^[a-zA-Z0-9+.-]+:(?:\/\/|:)/.test(full))
    throw fail.unsupported('git.fullurl', `git may not fetch by "${scheme}"`);
  for (const [what, value] of Object.entries({ reference: ref, address: url }))
    if (value?.startsWith('-')) throw fail.invalid('identifier', `the ${what} begins with "-"`);
  for (const name of ['git.bundle', 'git.checkoutbundle', 'git.sig.pubkey'])
    if (attrs.take(name)) throw fail.unsupported(name);
  const token = attrs.take('git.authtokensecret') || undefined;
  const header = attrs.take('git.authheadersecret') || undefined;
  const usual = token === 'GIT_AUTH_TOKEN' && header === 'GIT_AUTH_HEADER';
  const agent = attrs.take('git.mountsshsock') || 'default';
  const subdir = posix.join('/', attrs.take('git.subdir') ?? folder ?? '').replace(/^\/|\/$/g, '');
  const mtime = attrs.take('git.mtime') ?? '';
  if (!['', 'checkout', 'commit'].includes(mtime)) throw fail.invalid('git.mtime', `"${mtime}" is none`);
  return {
    type: 'git',
    url,
    ref: ref || undefined,
    subdir: subdir || undefined,
    keepGitDir: attrs.flag('git.keepgitdir') || undefined,
    checksum: attrs.take('git.checksum') || undefined,
    submodules: attrs.flag('git.skipsubmodules') ? false : undefined,
    mtime: mtime === 'checkout' ? mtime : undefined,
    fetchByCommit: attrs.flag('git.fetchbycommit') || undefined,
    auth: usual ? undefined : { token, header },
    agent: agent === 'default' ? undefined : agent,
    knownHosts: attrs.take('git.knownsshhosts') || undefined,
  };
}

function http({ attrs, fail, scheme, name }: SourceContext): HttpSource {
  for (const name of ['http.sig.pubkey', 'http.sig.signature']) if (attrs.take(name)) throw fail.unsupported(name);
  const headers = attrs
    .prefixed('http.header.')
    .map(([field, value]) => ({ name: canonicalField(field), value }))
    .filter((header) => header.name === 'Accept' || header.name === 'User-Agent')
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    type: 'http',
    url: `${scheme}://${name}`,
    checksum: attrs.digest('http.checksum'),
    filename: attrs.take('http.filename') || undefined,
    mode: attrs.number('http.perm') || undefined,
    uid: attrs.number('http.uid') || undefined,
    gid: attrs.number('http.gid') || undefined,
    headers: headers.length === 0 ? undefined : headers,
    authSecret: attrs.take('http.authheadersecret') || undefined,
  };
}

function canonicalField(name: string): string {
  return name.toLowerCase().replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase());
}

function cut(text: string, mark: string): [string, string | undefined] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** Attributes of a source, each taken once; those left over at the end are not known. */
class Attributes {
  readonly #left: Map<string, string>;
  readonly #fail: OpFailure;

  constructor(attrs: Readonly<Record<string, string>>, fail: OpFailure) {
    this.#left = new Map(Object.entries(attrs));
    this.#fail = fail;
  }

  take(name: string): string | undefined {
    const value = this.#left.get(name);
    this.#left.delete(name);
    return value;
  }

  prefixed(prefix: string): [string, string][] {
    const found = [...this.#left].filter(([name]) => name.startsWith(prefix));
    for (const [name] of found) this.#left.delete(name);
    return found.map(([name, value]) => [name.slice(prefix.length), value]);
  }

  digest(name: string): Digest | undefined {
    const value = this.take(name);
    if (value === undefined || value === '') return undefined;
    if (!isDigest(value)) throw this.#fail.invalid(name, `"${value}" is no digest`);
    return value;
  }

  /** True, false or nothing. */
  flag(name: string): boolean {
    const value = this.take(name) ?? '';
    if (/^(?:1|t|T|TRUE|true|True)$/.test(value)) return true;
    if (/^(?:|0|f|F|FALSE|false|False)$/.test(value)) return false;
    throw this.#fail.invalid(name, `"${value}" is neither true nor false`);
  }

  /** A JSON list of texts. */
  list(name: string): readonly string[] | undefined {
    const value = this.take(name);
    if (value === undefined || value === '') return undefined;
    let list: unknown;
    try {
      list = JSON.parse(value);
    } catch {
      throw this.#fail.invalid(name, 'it is no JSON');
    }
    if (list === null) return undefined;
    if (!Array.isArray(list) || !list.every((item): item is string => typeof item === 'string'))
      throw this.#fail.invalid(name, 'it is no list of texts');
    return list.length === 0 ? undefined : list;
  }

  /** A whole number as Go's strconv.ParseInt reads it with base 0. */
  number(name: string): number | undefined {
    const value = this.take(name);
    if (value === undefined) return undefined;
    const octal = /^0[oO]?([0-7]+)$/.exec(value);
    const number = octal
      ? Number.parseInt(octal[1]!, 8)
      : /^(?:0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9]+)$/.test(value)
        ? Number(value)
        : Number.NaN;
    if (!Number.isSafeInteger(number) || number > 0xffffffff)
      throw this.#fail.invalid(name, `"${value}" is no number of its kind`);
    return number;
  }

  count(name: string): number | undefined {
    const value = this.take(name);
    if (value === undefined) return undefined;
    if (!/^[1-9][0-9]{0,8}$/.test(value)) throw this.#fail.invalid(name, `"${value}" is no number above 0`);
    return Number(value);
  }

  /** Throws for what nobody took. */
  end(): void {
    const [name] = this.#left.keys();
    if (name !== undefined) throw this.#fail.unsupported(`attribute "${name}"`);
  }
}
