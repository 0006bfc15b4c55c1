import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { collect, HttpClient, messageOf, redactUrl } from '../../../base/index.ts';
import { LIST_PATH, type RegistryEntry } from '../../../frontend/buildpack/index.ts';
import { cliError } from '../errors.ts';
import type { CliContext } from '../command.ts';
import type { RegistryConfig } from './user-config.ts';

const LARGEST_ANSWER = 64 << 10;

/** Asks what serves a registry (`strake buildpack registry serve --allow-register`) to change it; an entry without an address is yanked or given back. Throws `REGISTER_REFUSED`, `CONFIG_INVALID`. */
export async function postChange(
  { name, url }: RegistryConfig,
  { namespace, name: module, version, yanked, address }: RegistryEntry,
  c: Pick<CliContext, 'io' | 'signal'> & { readonly tokenFile: string },
): Promise<void> {
  const isNew = address !== '';
  const path = isNew ? '' : `/${[namespace, module, version].map((part) => encodeURIComponent(part)).join('/')}`;
  const target = new URL(`${url.replace(/\/+$/, '')}/${LIST_PATH}${path}`);
  await using client = new HttpClient({ env: c.io.env });
  await using answer = await client.request({
    method: 'POST',
    url: target,
    headers: { authorization: `Bearer ${tokenIn(c.tokenFile, c.io.cwd)}`, 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(isNew ? { namespace, name: module, version, address } : { yanked })),
    signal: c.signal,
  });
  const text = Buffer.from(await collect(answer.body, { limit: LARGEST_ANSWER })).toString();
  if (answer.status === 200 || answer.status === 201) return;
  throw cliError(
    'REGISTER_REFUSED',
    `change buildpack registry "${name}" at "${redactUrl(target)}": ${reasonIn(text) ?? `it answered with status ${answer.status}`}`,
    {
      remedy:
        answer.status === 401
          ? 'Take a token that is in the file which it was started with (--token-file).'
          : answer.status === 405
            ? 'It has to be served with --allow-register.'
            : undefined,
    },
  );
}

function tokenIn(path: string, cwd: string): string {
  try {
    const token = readFileSync(resolve(cwd, path), 'utf8')
      .split('\n')
      .map((line) => line.trim())
      .find((line) => line !== '' && !line.startsWith('#'));
    if (token !== undefined && /^[\x21-\x7e]+$/.test(token)) return token;
  } catch (error) {
    throw cliError('CONFIG_INVALID', `read --token-file "${path}": ${messageOf(error)}`, { cause: error });
  }
  throw cliError('CONFIG_INVALID', `read --token-file "${path}": there is no token in it`);
}

/** What the server says of why not, on one line. */
function reasonIn(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === 'string' ? error.replaceAll(/[\x00-\x1f\x7f]/g, ' ').slice(0, 500) : undefined;
  } catch {
    return undefined;
  }
}
