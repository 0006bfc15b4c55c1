import type { Wait } from '../../base/index.ts';
import type { GitSource } from '../../graph/index.ts';
import type { BuildHost } from '../build-host.ts';
import { gitError } from './errors.ts';
import type { Remote } from './remote.ts';

/** How a remote is asked: configuration for git, and the words in it that must never be repeated. */
export interface GitAuth {
  readonly config: readonly (readonly [name: string, value: string])[];
  readonly secrets: readonly string[];
}

export const NO_AUTH: GitAuth = { config: [], secrets: [] };

/**
 * Logins for a web address, as BuildKit looks for them: the secrets GIT_AUTH_HEADER.<host> (a whole Authorization header's value), GIT_AUTH_TOKEN.<host> (a password), then both without host; else what
 * is written into the address. A token for one repository of github.com is for all of them, so that submodules are found. `auth`: other names.
 */
export async function gitAuth(
  remote: Remote,
  host: Pick<BuildHost, 'secret'>,
  o: { readonly auth?: GitSource['auth'] } & Wait,
): Promise<GitAuth> {
  const { auth: { token, header: whole } = { token: 'GIT_AUTH_TOKEN', header: 'GIT_AUTH_HEADER' }, ...w } = o;
  if (remote.host === undefined) return NO_AUTH;
  for (const [name, suffix, isToken] of [
    [whole, `.${remote.host}`, false],
    [token, `.${remote.host}`, true],
    [whole, '', false],
    [token, '', true],
  ] as const) {
    if (name === undefined) continue;
    const id = name + suffix;
    const secret = await host.secret(id, w);
    if (secret === undefined) continue;
    const value = Buffer.from(secret).toString().trim();
    if (/[\r\n\0]/.test(value))
      throw gitError('GIT_DENIED', `read secret "${id}": it has more than one line`, {
        remedy: isToken ? 'Give the token alone.' : 'Give the value of one Authorization header.',
      });
    return isToken ? basic(remote, `x-access-token:${value}`, value) : header(remote, value, [value]);
  }
  const { userinfo } = remote;
  return userinfo === undefined ? NO_AUTH : basic(remote, userinfo, userinfo.slice(userinfo.indexOf(':') + 1));
}

function basic(remote: Remote, login: string, secret: string): GitAuth {
  const encoded = Buffer.from(login).toString('base64');
  return header(remote, `basic ${encoded}`, [encoded, ...(secret === '' ? [] : [secret])]);
}

function header(remote: Remote, value: string, secrets: readonly string[]): GitAuth {
  const scope = /^https:\/\/(?:www\.)?github\.com\//.exec(remote.url)?.[0] ?? remote.url;
  return { config: [[`http.${scope}.extraheader`, `Authorization: ${value}`]], secrets };
}
