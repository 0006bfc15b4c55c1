import type { Platform } from '../../../blob/index.ts';
import type { GitSource, HttpSource, ImageSource, LayoutSource, LocalSource, Source } from '../../../graph/index.ts';
import { llbError } from './errors.ts';

/** A source as BuildKit's op names it. */
export interface EncodedSource {
  readonly identifier: string;
  /** Sorted by name. */
  readonly attrs: Record<string, string>;
  readonly platform: Platform | undefined;
}

/**
 * A source in BuildKit's words. Throws `LLB_UNSUPPORTED` for those that it has not: bases of packages and archives, which are to be trees of the asking side first, and single layers of images.
 */
export function encodeSource(source: Source): EncodedSource {
  switch (source.type) {
    case 'image':
      return image(source);
    case 'local':
      return local(source);
    case 'git':
      return git(source);
    case 'http':
      return http(source);
    case 'oci-layout':
      return layout(source);
    case 'packages':
      throw unknown(`a base of packages ("${source.reference}")`);
    case 'archive':
      throw unknown(`an archive ("${source.digest}")`);
    default:
      throw unknown('the empty tree as a step');
  }
}

function image({ reference, platform, pull, layer, layerLimit }: ImageSource): EncodedSource {
  if (layer !== undefined) throw unknown(`one layer ("${layer}") of an image`);
  // There is no word for "only where it is": what is not there is fetched.
  const mode = pull === 'always' ? 'pull' : pull === 'never' ? 'local' : undefined;
  return encoded(`docker-image://${reference}`, platform, {
    'image.resolvemode': mode,
    'image.layerlimit': layerLimit,
  });
}

function layout({ store, digest, platform, layerLimit }: LayoutSource): EncodedSource {
  // The store goes by its attribute; a name must look like one of a registry.
  const name = store.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  return encoded(`oci-layout://local/${name}@${digest}`, platform, {
    'oci.store': store,
    'oci.layerlimit': layerLimit,
  });
}

function local({ name, include, exclude, follow }: LocalSource): EncodedSource {
  return encoded(`local://${name}`, undefined, {
    'local.sharedkeyhint': name,
    'local.includepattern': list(include),
    'local.excludepatterns': list(exclude),
    'local.followpaths': list(follow),
  });
}

function git(source: GitSource): EncodedSource {
  const { url, ref, subdir, commit, checksum, auth, agent, knownHosts } = source;
  const { token, header } = auth ?? { token: 'GIT_AUTH_TOKEN', header: 'GIT_AUTH_HEADER' };
  const fragment = subdir === undefined ? (ref ?? '') : `${ref ?? ''}:${subdir}`;
  const bare = url.replace(/^[a-zA-Z0-9+]+:\/\//, '').replace(/^[^/@]*@/, '');
  const isSsh = /^(?:git\+)?ssh:/.test(url) || !url.includes('://');
  return encoded(`git://${bare}${fragment === '' ? '' : `#${fragment}`}`, undefined, {
    'git.fullurl': url,
    'git.keepgitdir': flag(source.keepGitDir),
    'git.checksum': commit ?? checksum,
    'git.skipsubmodules': flag(source.submodules === false),
    // Without a word BuildKit gives files the time they were checked out at.
    'git.mtime': source.mtime ?? 'commit',
    'git.fetchbycommit': flag(source.fetchByCommit),
    'git.authtokensecret': token,
    'git.authheadersecret': header,
    'git.mountsshsock': isSsh ? (agent ?? 'default') : agent,
    'git.knownsshhosts': knownHosts,
  });
}

function http(source: HttpSource): EncodedSource {
  const { url, checksum, filename, mode, uid, gid, headers = [], authSecret } = source;
  return encoded(url, undefined, {
    'http.checksum': checksum,
    'http.filename': filename,
    'http.perm': mode === undefined ? undefined : `0${mode.toString(8)}`,
    'http.uid': uid,
    'http.gid': gid,
    'http.authheadersecret': authSecret,
    ...Object.fromEntries(headers.map(({ name, value }) => [`http.header.${name.toLowerCase()}`, value])),
  });
}

function encoded(
  identifier: string,
  platform: Platform | undefined,
  attrs: Readonly<Record<string, string | number | undefined>>,
): EncodedSource {
  const set = Object.entries(attrs).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, `${value}`] as const],
  );
  return { identifier, platform, attrs: Object.fromEntries(set.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

function list(patterns: readonly string[] | undefined): string | undefined {
  return patterns === undefined ? undefined : JSON.stringify(patterns);
}

function flag(value: boolean | undefined): string | undefined {
  return value ? 'true' : undefined;
}

function unknown(what: string): Error {
  return llbError('LLB_UNSUPPORTED', `write a definition: BuildKit has no source that is ${what}`, {
    remedy: 'Build it here, or use an image that a registry has.',
  });
}
