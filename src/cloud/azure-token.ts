import { readFileSync } from 'node:fs';
import { messageOf, type Wait } from '../base/index.ts';
import { ask, objectOf, textOf, type Cloud } from './cloud.ts';
import { cloudError } from './errors.ts';

const SCOPE = 'https://storage.azure.com/.default';
const RESOURCE = 'https://storage.azure.com/';
const AUTHORITY = 'https://login.microsoftonline.com/';
const METADATA = 'http://169.254.169.254/metadata/identity/oauth2/token';
const METADATA_PATIENCE = 2_000;
/** Milliseconds before its end at which a token is asked for anew. */
const SPARE = 120_000;

/**
 * A token for Azure Storage from where Azure's SDKs look without a person: a client's secret or a federated token in the environment, an application's identity, the machine's. It is kept until shortly before its end.
 * Throws `CLOUD_LOGIN_MISSING`, `CLOUD_LOGIN_FAILED`.
 */
export function azureToken(cloud: Cloud): (w?: Wait) => Promise<string> {
  let kept: { readonly token: string; readonly until: number } | undefined;
  return async (w = {}) => {
    if (kept && kept.until - SPARE > cloud.clock.now()) return kept.token;
    const answer = (await fromClient(cloud, w)) ?? (await fromApplication(cloud, w)) ?? (await fromMachine(cloud, w));
    const token = textOf(answer['access_token']);
    if (token === undefined) throw cloudError('CLOUD_LOGIN_FAILED', 'log in to Azure: there is no token in the answer');
    const seconds = Number(answer['expires_in'] ?? 0);
    kept = { token, until: cloud.clock.now() + (Number.isFinite(seconds) ? seconds * 1000 : 0) };
    return token;
  };
}

type Found = Readonly<Record<string, unknown>>;

async function fromClient(cloud: Cloud, w: Wait): Promise<Found | undefined> {
  const { env } = cloud;
  const tenant = env['AZURE_TENANT_ID'];
  const client = env['AZURE_CLIENT_ID'];
  const secret = env['AZURE_CLIENT_SECRET'];
  const file = env['AZURE_FEDERATED_TOKEN_FILE'];
  if (!tenant || !client || (!secret && !file)) return undefined;
  const form = new URLSearchParams({ client_id: client, grant_type: 'client_credentials', scope: SCOPE });
  if (secret) form.set('client_secret', secret);
  else {
    form.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
    form.set('client_assertion', federated(file ?? ''));
  }
  const url = new URL(`${tenant}/oauth2/v2.0/token`, env['AZURE_AUTHORITY_HOST'] || AUTHORITY);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return objectOf(await ask(cloud, { method: 'POST', url, headers, body: form.toString(), ...w }), 'log in to Azure');
}

function federated(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw cloudError('CLOUD_LOGIN_FAILED', `log in to Azure with "${file}": ${messageOf(error)}`, { cause: error });
  }
}

async function fromApplication(cloud: Cloud, w: Wait): Promise<Found | undefined> {
  const endpoint = cloud.env['IDENTITY_ENDPOINT'];
  const secret = cloud.env['IDENTITY_HEADER'];
  if (!endpoint || !secret) return undefined;
  const url = new URL(endpoint);
  url.searchParams.set('api-version', '2019-08-01');
  url.searchParams.set('resource', RESOURCE);
  const headers = { 'x-identity-header': secret };
  return objectOf(await ask(cloud, { method: 'GET', url, headers, ...w }), 'log in to Azure as this application');
}

async function fromMachine(cloud: Cloud, w: Wait): Promise<Found> {
  const url = new URL(cloud.env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] || METADATA);
  url.searchParams.set('api-version', '2018-02-01');
  url.searchParams.set('resource', RESOURCE);
  const client = cloud.env['AZURE_CLIENT_ID'];
  if (client) url.searchParams.set('client_id', client);
  try {
    const answer = await ask(cloud, {
      method: 'GET',
      url,
      headers: { metadata: 'true' },
      patience: METADATA_PATIENCE,
      ...w,
    });
    return objectOf(answer, 'log in to Azure as this machine');
  } catch (error) {
    throw cloudError('CLOUD_LOGIN_MISSING', `log in to Azure: there is no login here (${messageOf(error)})`, {
      remedy: 'Give secret_access_key, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.',
      cause: error,
    });
  }
}
