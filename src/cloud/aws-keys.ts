import { readFileSync } from 'node:fs';
import { hasErrno, kindOf, messageOf, runTool, type Wait } from '../base/index.ts';
import { cloudError } from './errors.ts';
import { awsProfile, type AwsProfile } from './aws-profile.ts';
import { ask, objectOf, saidIn, textOf, type Cloud } from './cloud.ts';
import { signed, type AwsKeys } from './sigv4.ts';

/** Milliseconds that the metadata service may take: elsewhere than in EC2 nobody answers. */
const METADATA_PATIENCE = 2_000;
const SESSION = 'strake';

/** AWS_REGION, AWS_DEFAULT_REGION, or that of the profile. */
export function awsRegion(cloud: Cloud): string | undefined {
  const { env } = cloud;
  return env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || awsProfile(cloud, profileName(cloud))?.['region'];
}

/**
 * Keys from where AWS' SDKs look, in their order: the environment, a web identity token, the shared files (keys, credential_process, source_profile, web identity), a container's endpoint, the machine's metadata (IMDSv2).
 * Throws `CLOUD_LOGIN_MISSING` and `CLOUD_LOGIN_FAILED`.
 */
export async function awsKeys(cloud: Cloud, w: Wait = {}): Promise<AwsKeys> {
  const { env } = cloud;
  const explicit = env['AWS_PROFILE'] !== undefined && env['AWS_PROFILE'] !== '';
  if (!explicit) {
    const id = env['AWS_ACCESS_KEY_ID'] || env['AWS_ACCESS_KEY'];
    const secret = env['AWS_SECRET_ACCESS_KEY'] || env['AWS_SECRET_KEY'];
    if (id && secret) return { id, secret, token: env['AWS_SESSION_TOKEN'] || undefined };
    const file = env['AWS_WEB_IDENTITY_TOKEN_FILE'];
    if (file)
      return byWebIdentity(cloud, { file, role: env['AWS_ROLE_ARN'], session: env['AWS_ROLE_SESSION_NAME'] }, w);
  }
  const name = profileName(cloud);
  const profile = awsProfile(cloud, name);
  if (explicit && !profile)
    throw cloudError('CLOUD_LOGIN_MISSING', `find the AWS profile "${name}": there is none`, {
      remedy: 'Correct AWS_PROFILE, or write the profile into ~/.aws/config.',
    });
  const found = profile && (await fromProfile(cloud, profile, { name, seen: [name], ...w }));
  return found ?? (await fromContainer(cloud, w)) ?? (await fromMachine(cloud, w));
}

function profileName({ env }: Cloud): string {
  return env['AWS_PROFILE'] || env['AWS_DEFAULT_PROFILE'] || 'default';
}

async function fromProfile(
  cloud: Cloud,
  profile: AwsProfile,
  o: { readonly name: string; readonly seen: readonly string[] } & Wait,
): Promise<AwsKeys | undefined> {
  const role = profile['role_arn'];
  const source = profile['source_profile'];
  if (role !== undefined && source !== undefined && source !== o.name) {
    const other = awsProfile(cloud, source);
    const keys =
      other && !o.seen.includes(source)
        ? await fromProfile(cloud, other, { ...o, name: source, seen: [...o.seen, source] })
        : undefined;
    if (!keys)
      throw cloudError(
        'CLOUD_LOGIN_MISSING',
        `use the AWS profile "${o.name}": its source_profile "${source}" has no keys`,
      );
    return assumeRole(
      cloud,
      { keys, role, externalId: profile['external_id'], session: profile['role_session_name'] },
      o,
    );
  }
  if (role !== undefined && profile['web_identity_token_file'] !== undefined)
    return byWebIdentity(
      cloud,
      { file: profile['web_identity_token_file'], role, session: profile['role_session_name'] },
      o,
    );
  const id = profile['aws_access_key_id'];
  const secret = profile['aws_secret_access_key'];
  if (id !== undefined && secret !== undefined) {
    const keys: AwsKeys = { id, secret, token: profile['aws_session_token'] };
    return role === undefined || source !== o.name
      ? keys
      : assumeRole(cloud, { keys, role, externalId: profile['external_id'], session: profile['role_session_name'] }, o);
  }
  const command = profile['credential_process'];
  if (command === undefined) return undefined;
  const { stdout } = await runTool('sh', ['-c', command], { signal: o.signal });
  const answer = { status: 200, headers: {}, text: stdout.toString() };
  return keysIn(objectOf(answer, `run credential_process of the AWS profile "${o.name}"`), 'credential_process');
}

/** ECS, EKS pod identity and CodeBuild: AWS_CONTAINER_CREDENTIALS_*. */
async function fromContainer(cloud: Cloud, w: Wait): Promise<AwsKeys | undefined> {
  const { env } = cloud;
  const relative = env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'];
  const full = env['AWS_CONTAINER_CREDENTIALS_FULL_URI'];
  if (!relative && !full) return undefined;
  const url = relative ? `http://169.254.170.2${relative}` : (full ?? '');
  const file = env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];
  const token = file ? readFileSync(file, 'utf8').trim() : env['AWS_CONTAINER_AUTHORIZATION_TOKEN'];
  const answer = await ask(cloud, { method: 'GET', url, headers: token ? { authorization: token } : {}, ...w });
  return keysIn(objectOf(answer, 'ask the container for AWS keys'), 'the container');
}

/** The instance metadata service, version 2: a token first. */
async function fromMachine(cloud: Cloud, w: Wait): Promise<AwsKeys> {
  const missing = (cause?: unknown): Error =>
    cloudError(
      'CLOUD_LOGIN_MISSING',
      'find keys for AWS: none in the environment, the shared files, or the metadata of this machine',
      {
        cause,
        remedy: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the pod a role.',
      },
    );
  if (cloud.env['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true') throw missing();
  const at = (cloud.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] || 'http://169.254.169.254').replace(/\/$/, '');
  try {
    const token = await ask(cloud, {
      method: 'PUT',
      url: `${at}/latest/api/token`,
      headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '21600', 'content-length': '0' },
      patience: METADATA_PATIENCE,
      ...w,
    });
    if (token.status !== 200) throw missing();
    const headers = { 'x-aws-ec2-metadata-token': token.text.trim() };
    const base = `${at}/latest/meta-data/iam/security-credentials/`;
    const role = await ask(cloud, { method: 'GET', url: base, headers, patience: METADATA_PATIENCE, ...w });
    const name = role.text.split('\n')[0]?.trim() ?? '';
    if (role.status !== 200 || name === '') throw missing();
    const keys = await ask(cloud, { method: 'GET', url: base + encodeURIComponent(name), headers, ...w });
    return keysIn(objectOf(keys, 'ask the metadata of this machine for AWS keys'), 'the metadata of this machine');
  } catch (error) {
    if (kindOf(error) === 'unavailable') throw missing(error);
    throw error;
  }
}

async function byWebIdentity(
  cloud: Cloud,
  o: { file: string; role: string | undefined; session: string | undefined },
  w: Wait,
): Promise<AwsKeys> {
  if (!o.role)
    throw cloudError('CLOUD_LOGIN_MISSING', `use the web identity token "${o.file}": AWS_ROLE_ARN is not set`);
  let token: string;
  try {
    token = readFileSync(o.file, 'utf8').trim();
  } catch (error) {
    const code = hasErrno(error, 'ENOENT') ? 'CLOUD_LOGIN_MISSING' : 'CLOUD_LOGIN_FAILED';
    throw cloudError(code, `read the web identity token "${o.file}": ${messageOf(error)}`, { cause: error });
  }
  const body = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: o.role,
    RoleSessionName: o.session || SESSION,
    WebIdentityToken: token,
  });
  return fromSts(cloud, { body, role: o.role }, w);
}

async function assumeRole(
  cloud: Cloud,
  o: { keys: AwsKeys; role: string; externalId: string | undefined; session: string | undefined },
  w: Wait,
): Promise<AwsKeys> {
  const body = new URLSearchParams({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    RoleArn: o.role,
    RoleSessionName: o.session || SESSION,
    ...(o.externalId !== undefined && { ExternalId: o.externalId }),
  });
  return fromSts(cloud, { body, role: o.role, keys: o.keys }, w);
}

async function fromSts(
  cloud: Cloud,
  o: { body: URLSearchParams; role: string; keys?: AwsKeys | undefined },
  w: Wait,
): Promise<AwsKeys> {
  const region = awsRegion(cloud) ?? 'us-east-1';
  const own = cloud.env['AWS_ENDPOINT_URL_STS'] || cloud.env['AWS_ENDPOINT_URL'];
  const url = new URL(own || `https://sts.${region}.${awsDomain(region)}/`);
  const body = o.body.toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const sent = o.keys
    ? signed('POST', url, { keys: o.keys, region, service: 'sts', now: cloud.clock.now(), headers, body })
    : headers;
  const { status, text } = await ask(cloud, { method: 'POST', url, headers: sent, body, ...w });
  const part = (name: string): string | undefined => new RegExp(`<${name}>([^<]+)</${name}>`).exec(text)?.[1];
  const [id, secret, token] = [part('AccessKeyId'), part('SecretAccessKey'), part('SessionToken')];
  if (status !== 200 || id === undefined || secret === undefined)
    throw cloudError('CLOUD_LOGIN_FAILED', `take the AWS role "${o.role}": HTTP status ${status}${saidIn(text)}`);
  return { id, secret, token };
}

/** `amazonaws.com`, of China's regions another one. */
export function awsDomain(region: string): string {
  return region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
}

function keysIn(value: Readonly<Record<string, unknown>>, from: string): AwsKeys {
  const id = textOf(value['AccessKeyId']);
  const secret = textOf(value['SecretAccessKey']);
  if (id === undefined || secret === undefined)
    throw cloudError('CLOUD_LOGIN_FAILED', `take AWS keys from ${from}: there are none in its answer`);
  return { id, secret, token: textOf(value['Token']) ?? textOf(value['SessionToken']) };
}
