import { readFileSync } from 'node:fs';
import type { Wait } from '../../../base/index.ts';
import type { Credential } from '../../../registry/index.ts';
import { ask, awsKeys, cloudError, googleToken, objectOf, signed, textOf, type Cloud } from '../../../cloud/index.ts';

/** Registries of Google, by an access token. */
export async function loginFromGoogle(registry: string, cloud: Cloud, w: Wait): Promise<Credential | undefined> {
  if (!/^([a-z0-9.-]+\.)?(gcr\.io|pkg\.dev)$/.test(registry)) return undefined;
  const token = await googleToken(cloud, w);
  return token === undefined ? undefined : { username: '_token', secret: token, kind: 'password' };
}

/** Private registries of Amazon's ECR, by GetAuthorizationToken. */
export async function loginFromEcr(registry: string, cloud: Cloud, w: Wait): Promise<Credential | undefined> {
  const match = /^(\d{12})\.dkr[.-]ecr(-fips)?\.([a-z0-9-]+)\.(amazonaws\.com(?:\.cn)?|on\.aws)$/.exec(registry);
  if (!match) return undefined;
  const [, id = '', fips, region = '', domain = ''] = match;
  const url = new URL(
    cloud.env['AWS_ENDPOINT_URL_ECR'] ||
      (fips === undefined
        ? `https://api.ecr.${region}.${domain === 'on.aws' ? 'amazonaws.com' : domain}/`
        : `https://ecr-fips.${region}.amazonaws.com/`),
  );
  const body = JSON.stringify({ registryIds: [id] });
  const headers = signed('POST', url, {
    keys: await awsKeys(cloud, w),
    region,
    service: 'ecr',
    now: cloud.clock.now(),
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken',
    },
    body,
  });
  const what = `log in to "${registry}"`;
  const answer = objectOf(await ask(cloud, { method: 'POST', url, headers, body, ...w }), what);
  const [data] = (answer['authorizationData'] as readonly Record<string, unknown>[] | undefined) ?? [];
  const [username = '', ...secret] = Buffer.from(textOf(data?.['authorizationToken']) ?? '', 'base64')
    .toString()
    .split(':');
  if (username === '' || secret.length === 0)
    throw cloudError('CLOUD_LOGIN_FAILED', `${what}: there is no token in the answer`);
  return { username, secret: secret.join(':'), kind: 'password' };
}

const AZURE_SCOPE = 'https://management.azure.com/';
const METADATA_PATIENCE = 2_000;

/** Registries of Azure: a token of the identity that the environment or the machine has, exchanged for the registry's. */
export async function loginFromAcr(registry: string, cloud: Cloud, w: Wait): Promise<Credential | undefined> {
  if (!/\.azurecr\.(io|cn|us|de)$/.test(registry)) return undefined;
  const token = await azureToken(cloud, w);
  if (token === undefined) return undefined;
  const tenant = cloud.env['AZURE_TENANT_ID'];
  const body = new URLSearchParams({
    grant_type: 'access_token',
    service: registry,
    access_token: token,
    ...(tenant && { tenant }),
  }).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const what = `log in to "${registry}"`;
  const url = `https://${registry}/oauth2/exchange`;
  const secret = textOf(
    objectOf(await ask(cloud, { method: 'POST', url, headers, body, ...w }), what)['refresh_token'],
  );
  return secret === undefined ? undefined : { secret, kind: 'identity-token' };
}

async function azureToken(cloud: Cloud, w: Wait): Promise<string | undefined> {
  const { env } = cloud;
  const [client, tenant] = [env['AZURE_CLIENT_ID'], env['AZURE_TENANT_ID']];
  const [secret, file] = [env['AZURE_CLIENT_SECRET'], env['AZURE_FEDERATED_TOKEN_FILE']];
  if (client && tenant && (secret || file)) {
    const authority = (env['AZURE_AUTHORITY_HOST'] || 'https://login.microsoftonline.com').replace(/\/$/, '');
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: client,
      scope: `${AZURE_SCOPE}.default`,
      ...(secret
        ? { client_secret: secret }
        : {
            client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
            client_assertion: readFileSync(file ?? '', 'utf8').trim(),
          }),
    }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const url = `${authority}/${tenant}/oauth2/v2.0/token`;
    return textOf(
      objectOf(await ask(cloud, { method: 'POST', url, headers, body, ...w }), 'log in to Azure')['access_token'],
    );
  }
  const query = new URLSearchParams({
    'api-version': '2018-02-01',
    resource: AZURE_SCOPE,
    ...(client && { client_id: client }),
  });
  const answer = await ask(cloud, {
    method: 'GET',
    url: `http://169.254.169.254/metadata/identity/oauth2/token?${query.toString()}`,
    headers: { metadata: 'true' },
    patience: METADATA_PATIENCE,
    ...w,
  });
  return textOf(objectOf(answer, 'ask the metadata of this machine for an Azure token')['access_token']);
}
