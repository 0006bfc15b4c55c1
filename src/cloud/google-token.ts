import { createPrivateKey, sign } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { kindOf, messageOf, type Wait } from '../base/index.ts';
import { cloudError } from './errors.ts';
import { ask, objectOf, textOf, type Cloud } from './cloud.ts';

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
const TOKEN_URL = 'https://oauth2.googleapis.com/token';
const METADATA_PATIENCE = 2_000;

/**
 * An access token from where Google's libraries look: the file of GOOGLE_APPLICATION_CREDENTIALS, that of gcloud, the metadata server. Undefined where there is none of these. Throws `CLOUD_LOGIN_FAILED`.
 */
export async function googleToken(cloud: Cloud, w: Wait = {}): Promise<string | undefined> {
  const { env, home } = cloud;
  const named = env['GOOGLE_APPLICATION_CREDENTIALS'];
  if (named) return fromFile(cloud, named, w);
  const folder = env['CLOUDSDK_CONFIG'] || join(home, '.config/gcloud');
  const usual = join(folder, 'application_default_credentials.json');
  if (existsSync(usual)) return fromFile(cloud, usual, w);
  return fromMetadata(cloud, w);
}

async function fromFile(cloud: Cloud, path: string, w: Wait): Promise<string> {
  const what = `log in to Google with "${path}"`;
  let file: Record<string, unknown>;
  try {
    file = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  } catch (error) {
    // A JSON error quotes what it cannot read, and that may be a key.
    const detail = error instanceof SyntaxError ? 'it is no JSON' : messageOf(error);
    throw cloudError('CLOUD_LOGIN_FAILED', `${what}: ${detail}`);
  }
  const member = (name: string): string => {
    const value = textOf(file[name]);
    if (value === undefined) throw cloudError('CLOUD_LOGIN_FAILED', `${what}: it has no "${name}"`);
    return value;
  };
  const kind = textOf(file['type']);
  const url = textOf(file['token_uri']) ?? TOKEN_URL;
  let form: Record<string, string>;
  if (kind === 'service_account')
    form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: assertion(
        {
          email: member('client_email'),
          key: member('private_key'),
          id: textOf(file['private_key_id']),
          audience: url,
          now: cloud.clock.now(),
        },
        what,
      ),
    };
  else if (kind === 'authorized_user')
    form = {
      grant_type: 'refresh_token',
      client_id: member('client_id'),
      client_secret: member('client_secret'),
      refresh_token: member('refresh_token'),
    };
  else
    throw cloudError('CLOUD_LOGIN_FAILED', `${what}: logins of type "${kind ?? ''}" are not supported`, {
      remedy: 'Use the key of a service account, or the metadata server of the pod.',
    });
  const body = new URLSearchParams(form).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return tokenIn(await ask(cloud, { method: 'POST', url, headers, body, ...w }), what);
}

/** A signed claim to be the service account (RFC 7523), good for an hour. */
function assertion(
  o: { email: string; key: string; id: string | undefined; audience: string; now: number },
  what: string,
): string {
  const at = Math.floor(o.now / 1000);
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = part({ alg: 'RS256', typ: 'JWT', ...(o.id !== undefined && { kid: o.id }) });
  const text = `${header}.${part({ iss: o.email, scope: SCOPE, aud: o.audience, iat: at, exp: at + 3600 })}`;
  try {
    return `${text}.${sign('sha256', Buffer.from(text), createPrivateKey(o.key)).toString('base64url')}`;
  } catch {
    throw cloudError('CLOUD_LOGIN_FAILED', `${what}: its private key cannot be read`);
  }
}

async function fromMetadata(cloud: Cloud, w: Wait): Promise<string | undefined> {
  const host = cloud.env['GCE_METADATA_HOST'] || 'metadata.google.internal';
  try {
    const answer = await ask(cloud, {
      method: 'GET',
      url: `http://${host}/computeMetadata/v1/instance/service-accounts/default/token`,
      headers: { 'metadata-flavor': 'Google' },
      patience: METADATA_PATIENCE,
      ...w,
    });
    return answer.status === 404 ? undefined : tokenIn(answer, 'ask the metadata server for a Google token');
  } catch (error) {
    if (kindOf(error) === 'unavailable') return undefined;
    throw error;
  }
}

function tokenIn(answer: Parameters<typeof objectOf>[0], what: string): string {
  const token = textOf(objectOf(answer, what)['access_token']);
  if (token === undefined) throw cloudError('CLOUD_LOGIN_FAILED', `${what}: there is no token in the answer`);
  return token;
}
