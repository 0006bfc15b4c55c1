import { usage } from '../errors.ts';

/** A folder of a git repository at a reference. */
export interface GitPlace {
  readonly remote: string;
  /** Branch, tag, commit or full reference; the remote's HEAD when undefined. */
  readonly ref?: string | undefined;
  /** Folder in the repository. */
  readonly subdir?: string | undefined;
}

const SCP = /^[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:(?!\/\/)[^#?]+/;

/**
 * Reads what Docker takes for a git repository (BuildKit util/gitutil): `https://…/x.git`, `git://`, `ssh://`, `user@host:path`, `github.com/…`, and `file://` to one on this machine, each with
 * `#ref:subdir` or `?ref=…&subdir=…`. Undefined for anything else. Throws `USAGE`.
 */
export function gitPlace(text: string): GitPlace | undefined {
  const hash = text.indexOf('#');
  const address = hash < 0 ? text : text.slice(0, hash);
  const fragment = hash < 0 ? '' : text.slice(hash + 1);
  const colon = fragment.indexOf(':');
  const fromFragment = {
    ref: colon < 0 ? fragment : fragment.slice(0, colon),
    subdir: colon < 0 ? '' : fragment.slice(colon + 1),
  };
  if (SCP.test(address)) return checked(text, { remote: address, ...fromFragment });
  if (address.startsWith('github.com/')) return checked(text, { remote: `https://${address}`, ...fromFragment });
  const scheme = /^(https?|git|ssh|git\+ssh|file):\/\//.exec(address)?.[1];
  const url = scheme === undefined ? null : URL.parse(address);
  if (!url || scheme === undefined) return undefined;
  if ((scheme === 'http' || scheme === 'https') && !/\.git\/?$/.test(url.pathname)) return undefined;
  const fromQuery = queryOf(text, url);
  url.search = '';
  return checked(text, {
    remote: url.href,
    ref: fromFragment.ref || fromQuery.ref,
    subdir: fromFragment.subdir || fromQuery.subdir,
  });
}

function queryOf(text: string, url: URL): { ref?: string | undefined; subdir?: string | undefined } {
  let ref: string | undefined;
  let subdir: string | undefined;
  for (const [name, value] of url.searchParams) {
    if (name === 'subdir') subdir = value;
    else if (name === 'ref' || name === 'commit' || name === 'checksum') ref ??= value;
    else if (name === 'branch') ref = `refs/heads/${value.replace(/^refs\/heads\//, '')}`;
    else if (name === 'tag') ref = `refs/tags/${value.replace(/^refs\/tags\//, '')}`;
    else
      throw usage(
        `read the repository "${text}": there is no query "${name}"`,
        'Use ref, branch, tag, commit or subdir.',
      );
  }
  return { ref, subdir };
}

function checked(text: string, place: GitPlace): GitPlace {
  const ref = place.ref || undefined;
  const subdir = place.subdir?.replaceAll(/^\/+|\/+$/g, '') || undefined;
  if (ref?.startsWith('-') || place.remote.startsWith('-'))
    throw usage(`read the repository "${text}": a name cannot begin with "-"`);
  if (subdir?.split('/').includes('..'))
    throw usage(`read the repository "${text}": its folder "${subdir}" leads out of it`);
  return { remote: place.remote, ref, subdir };
}
