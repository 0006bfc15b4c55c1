import { redactUrl } from '../../base/index.ts';

/** A repository's address, apart from what may be secret in it. */
export interface Remote {
  /** Without user and password, where it is a web address. */
  readonly url: string;
  /** host[:port] of a web address. */
  readonly host?: string | undefined;
  /** `user:password` that was written into a web address. */
  readonly userinfo?: string | undefined;
  readonly isSsh: boolean;
  /** Fit to be shown. */
  readonly shown: string;
}

export function remoteOf(text: string): Remote {
  const scheme = /^([a-zA-Z0-9+]+):\/\//.exec(text)?.[1]?.toLowerCase();
  if (scheme !== 'http' && scheme !== 'https') {
    const isSsh = scheme === undefined || scheme === 'ssh' || scheme === 'git+ssh';
    return { url: text, isSsh, shown: scheme === undefined ? text : redactUrl(text) };
  }
  const url = URL.parse(text);
  if (!url) return { url: text, isSsh: false, shown: redactUrl(text) };
  const userinfo =
    url.username === '' && url.password === '' ? undefined : `${decoded(url.username)}:${decoded(url.password)}`;
  const plain = userinfo === undefined ? text : text.replace(/^([^/]*\/\/)[^/@]*@/, '$1');
  return { url: plain, host: url.host, userinfo, isSsh: false, shown: redactUrl(plain) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
