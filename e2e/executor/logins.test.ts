import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { HttpClient, systemRandom } from '../../src/base/index.ts';
import type { Credential } from '../../src/registry/index.ts';
import { awsKeys, googleToken, type Cloud } from '../../src/cloud/index.ts';
import { fetchS3 } from '../../src/doors/executor/contexts/s3.ts';
import { Log } from '../../src/doors/executor/log.ts';
import { logins } from '../../src/doors/executor/logins/logins.ts';
import { lacking } from '../registry/world.ts';
import { certificates, gcs, proxyTo, serve, wrongSignature } from './stand-ins.ts';

const clock = { now: () => Date.now() };
const KEYS = { id: 'AKIDTEST', secret: 'secret/word' };

/** A home folder of its own, and what asks the clouds with this environment alone. */
function world(env: Record<string, string>): { readonly home: string; readonly cloud: Cloud } & AsyncDisposable {
  const home = mkdtempSync(join(tmpdir(), 'strake-logins-'));
  const own = { HOME: home, AWS_EC2_METADATA_DISABLED: 'true', ...env };
  const http = new HttpClient({ env: own });
  return {
    home,
    cloud: { http, env: own, home, clock },
    [Symbol.asyncDispose]: async () => {
      await http[Symbol.asyncDispose]();
      rmSync(home, { recursive: true });
    },
  };
}

/** The login that `executor` would use, and what it said. */
async function loginFor(
  registry: string,
  o: { cloud: Cloud; helpers?: readonly string[] },
): Promise<{ readonly login: Credential | undefined; readonly said: string }> {
  let said = '';
  const log = new Log({
    clock,
    write: (text) => void (said += text),
    level: 'debug',
    format: 'text',
    timestamp: false,
  });
  const helpers = o.helpers ?? ['env', 'google', 'ecr', 'acr', 'gitlab'];
  const login = await logins({ cloud: o.cloud, random: systemRandom, helpers, log })({ registry, repository: 'a/b' });
  return { login, said };
}

suite('logins of executor', () => {
  test('by variables: the host, its parents, in the order of the helpers, behind the files', async () => {
    const env = {
      KANIKO_REGISTRY_EXAMPLE_USER: 'parent',
      KANIKO_REGISTRY_EXAMPLE_PASSWORD: 'p',
      KANIKO_MY_OWN_REGISTRY_EXAMPLE_USER: 'own',
      KANIKO_MY_OWN_REGISTRY_EXAMPLE_PASSWORD: 'p',
      KANIKO_INDEX_DOCKER_IO_USER: 'hub',
      KANIKO_INDEX_DOCKER_IO_PASSWORD: 'p',
      KANIKO_HALF_EXAMPLE_USER: 'half',
      CI_REGISTRY: 'registry.example',
      CI_JOB_TOKEN: 'job',
      CI_DEPENDENCY_PROXY_SERVER: 'proxy.example:443',
      CI_DEPENDENCY_PROXY_USER: 'reader',
      CI_DEPENDENCY_PROXY_PASSWORD: 'word',
    };
    await using one = world(env);
    const user = async (registry: string, helpers?: readonly string[]): Promise<string | undefined> =>
      (await loginFor(registry, { ...one, ...(helpers && { helpers }) })).login?.username;
    assert.equal(await user('registry.example'), 'parent');
    assert.equal(await user('other.registry.example'), 'parent');
    assert.equal(await user('my-own.registry.example'), 'own');
    assert.equal(await user('docker.io'), 'hub');
    assert.equal(await user('half.example'), undefined);
    assert.equal(await user('registry.example', ['gitlab', 'env']), 'gitlab-ci-token');
    assert.equal(await user('proxy.example:443'), 'reader');
    assert.equal(await user('registry.example', []), undefined);
    writeFileSync(
      join(one.home, 'config.json'),
      JSON.stringify({ auths: { 'registry.example': { auth: Buffer.from('file:x').toString('base64') } } }),
    );
    await using two = world({ ...env, DOCKER_CONFIG: one.home });
    assert.equal((await loginFor('registry.example', two)).login?.username, 'file');
  });

  test('ECR, ACR and Google, where their names lead to a stand-in', { skip: lacking('openssl') }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'strake-logins-'));
    try {
      const hosts = ['api.ecr.eu-west-1.amazonaws.com', 'team.azurecr.io', 'login.microsoftonline.com'];
      const tls = certificates(folder, hosts);
      await using server = await serve(createTlsServer({ cert: tls.cert, key: tls.key }), (request, body, response) => {
        const form = new URLSearchParams(body);
        const say = (value: unknown): void => void response.end(JSON.stringify(value));
        if (request.headers.host === hosts[0]) {
          const wrong = wrongSignature(request, body, { keys: KEYS, service: 'ecr' });
          const target = request.headers['x-amz-target'];
          if (wrong !== undefined || target !== 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken')
            response.writeHead(400).end(JSON.stringify({ message: wrong ?? 'target' }));
          else say({ authorizationData: [{ authorizationToken: Buffer.from('AWS:pass:word').toString('base64') }] });
        } else if (request.url === '/tenant/oauth2/v2.0/token' && form.get('client_secret') === 'hidden')
          say({ access_token: 'aad' });
        else if (
          request.url === '/oauth2/exchange' &&
          form.get('access_token') === 'aad' &&
          form.get('service') === hosts[1]
        )
          say({ refresh_token: 'refresh' });
        else response.writeHead(401).end('{"error_description":"not you"}');
      });
      await using proxy = await proxyTo(server);
      const env = {
        HTTPS_PROXY: proxy.url,
        SSL_CERT_FILE: tls.ca,
        AWS_ACCESS_KEY_ID: KEYS.id,
        AWS_SECRET_ACCESS_KEY: KEYS.secret,
        AZURE_CLIENT_ID: 'client',
        AZURE_TENANT_ID: 'tenant',
        AZURE_CLIENT_SECRET: 'hidden',
      };
      await using right = world(env);
      const ecr = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';
      assert.deepEqual((await loginFor(ecr, right)).login, { username: 'AWS', secret: 'pass:word', kind: 'password' });
      const acr = await loginFor('team.azurecr.io', right);
      assert.deepEqual(acr.login, { secret: 'refresh', kind: 'identity-token' });
      assert.equal((await loginFor('team.azurecr.io', { ...right, helpers: ['ecr', 'google'] })).login, undefined);
      await using wrong = world({ ...env, AWS_SECRET_ACCESS_KEY: 'other', AZURE_CLIENT_SECRET: 'guess' });
      for (const registry of [ecr, 'team.azurecr.io']) {
        const { login, said } = await loginFor(registry, wrong);
        assert.equal(login, undefined);
        assert.match(said, new RegExp(`no login for ${registry} by`));
        assert.doesNotMatch(said, /other|guess|hidden/);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('Google: a user, the metadata server, nobody', async () => {
    const pair = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    await using server = await gcs({}, { publicKey: pair.publicKey, email: 'a@b.example' });
    await using metadata = await serve(createServer(), (request, _body, response) => {
      const asked = request.url === '/computeMetadata/v1/instance/service-accounts/default/token';
      if (!asked || request.headers['metadata-flavor'] !== 'Google') response.writeHead(403).end();
      else response.end('{"access_token":"of-the-machine"}');
    });
    await using machine = world({ GCE_METADATA_HOST: metadata.host });
    assert.equal(await googleToken(machine.cloud), 'of-the-machine');
    assert.deepEqual((await loginFor('europe-docker.pkg.dev', machine)).login, {
      username: '_token',
      secret: 'of-the-machine',
      kind: 'password',
    });
    await using nowhere = world({ GCE_METADATA_HOST: '127.0.0.1:1' });
    assert.equal((await loginFor('gcr.io', nowhere)).login, undefined);
    const file = join(machine.home, 'account.json');
    writeFileSync(
      file,
      JSON.stringify({
        type: 'service_account',
        client_email: 'a@b.example',
        private_key: pair.privateKey,
        token_uri: `${server.url}/token`,
      }),
    );
    await using account = world({ GOOGLE_APPLICATION_CREDENTIALS: file });
    assert.equal(await googleToken(account.cloud), 'the-token');
    for (const [content, message] of [
      ['{"type":"external_account"}', /logins of type "external_account" are not supported/],
      ['{"type":"service_account","client_email":"a"}', /it has no "private_key"/],
      ['{"type":"service_account","client_email":"a","private_key":"secret-key"}', /its private key cannot be read/],
      ['secret-key', /it is no JSON/],
    ] as const) {
      writeFileSync(file, content);
      await assert.rejects(
        googleToken(account.cloud),
        (error: Error) => message.test(error.message) && !error.message.includes('secret-key'),
      );
    }
  });

  test('AWS: a role by the keys of another profile, a container, a command', async () => {
    await using server = await serve(createServer(), (request, body, response) => {
      const form = new URLSearchParams(body);
      if (request.url === '/creds' && request.headers.authorization === 'container-word')
        return void response.end(JSON.stringify({ AccessKeyId: 'C', SecretAccessKey: 'c', Token: 't' }));
      const wrong = wrongSignature(request, body, { keys: KEYS, service: 'sts' });
      if (wrong !== undefined || form.get('ExternalId') !== 'x1')
        return void response.writeHead(403).end(`<Error><Message>${wrong}</Message></Error>`);
      return void response.end(
        '<C><AccessKeyId>R</AccessKeyId><SecretAccessKey>r</SecretAccessKey><SessionToken>s</SessionToken></C>',
      );
    });
    await using one = world({ AWS_ENDPOINT_URL_STS: server.url, AWS_PROFILE: 'role', AWS_CONFIG_FILE: '' });
    const config = join(one.home, 'config');
    writeFileSync(
      config,
      `[profile role]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = keys\nexternal_id = x1\n[profile keys]\naws_access_key_id = ${KEYS.id}\naws_secret_access_key = ${KEYS.secret}\n[profile loop]\nrole_arn = r\nsource_profile = pool\n[profile pool]\nrole_arn = r\nsource_profile = loop\n[profile command]\ncredential_process = echo '{"Version":1,"AccessKeyId":"P","SecretAccessKey":"p"}'\n`,
    );
    const keys = (env: Record<string, string>) =>
      awsKeys({ ...one.cloud, env: { ...one.cloud.env, AWS_CONFIG_FILE: config, ...env } });
    assert.deepEqual(await keys({}), { id: 'R', secret: 'r', token: 's' });
    assert.deepEqual(await keys({ AWS_PROFILE: 'command' }), { id: 'P', secret: 'p', token: undefined });
    await assert.rejects(keys({ AWS_PROFILE: 'loop' }), /has no keys/);
    await assert.rejects(keys({ AWS_PROFILE: 'none' }), /find the AWS profile "none": there is none/);
    const container = {
      AWS_PROFILE: '',
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${server.url}/creds`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'container-word',
    };
    assert.deepEqual(await keys(container), { id: 'C', secret: 'c', token: 't' });
  });

  test(
    'S3 itself: the bucket in the host name, and a bucket of another region',
    { skip: lacking('openssl') },
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'strake-logins-'));
      try {
        const [asked, right] = ['builds.s3.us-east-1.amazonaws.com', 'builds.s3.eu-north-1.amazonaws.com'];
        const tls = certificates(folder, [asked, right]);
        await using server = await serve(
          createTlsServer({ cert: tls.cert, key: tls.key }),
          (request, body, response) => {
            const wrong = wrongSignature(request, body, { keys: KEYS, service: 's3' });
            if (request.headers.host === asked)
              response.writeHead(wrong === undefined ? 301 : 403, { 'x-amz-bucket-region': 'eu-north-1' }).end();
            else if (wrong !== undefined || !request.headers.authorization?.includes('/eu-north-1/s3/'))
              response.writeHead(403).end();
            else response.end(request.url === '/a/b.tar' ? 'content' : '');
          },
        );
        await using proxy = await proxyTo(server);
        const env = {
          HTTPS_PROXY: proxy.url,
          SSL_CERT_FILE: tls.ca,
          AWS_ACCESS_KEY_ID: KEYS.id,
          AWS_SECRET_ACCESS_KEY: KEYS.secret,
        };
        await using one = world(env);
        const path = join(folder, 'fetched');
        await fetchS3('s3://builds/a/b.tar', { cloud: one.cloud, path });
        assert.equal(readFileSync(path, 'utf8'), 'content');
        assert.deepEqual(proxy.asked, [`CONNECT ${asked}:443`, `CONNECT ${right}:443`]);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});
