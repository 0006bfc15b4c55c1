import { posix } from 'node:path';
import { azureToken } from './azure-token.ts';
import type { AzureLogin } from './azure-key.ts';
import { AzureObjects } from './azure-objects.ts';
import { awsRegion } from './aws-keys.ts';
import { cacheStore, githubConfigKey, type CacheStore } from './cache-store.ts';
import type { Cloud } from './cloud.ts';
import { cloudError } from './errors.ts';
import { GithubObjects } from './github-objects.ts';
import { S3Objects } from './s3-objects.ts';

/** Kinds of caches among the objects of a cloud, by BuildKit's names. */
export type CacheStoreType = 's3' | 'azblob' | 'gha';

/**
 * A cache by BuildKit's attributes, and the environment where they leave something out (buildx and BuildKit look there). Nothing is asked yet. Undefined for `gha` outside of a job, where buildx leaves such a cache out, too.
 * Throws `CLOUD_SETTING`.
 */
export function openCacheStore(
  type: CacheStoreType,
  attributes: ReadonlyMap<string, string>,
  cloud: Cloud,
): CacheStore | undefined {
  const a = new Attributes(type, attributes);
  if (type === 's3') return s3(a, cloud);
  return type === 'azblob' ? azure(a, cloud) : github(a, cloud);
}

function s3(a: Attributes, cloud: Cloud): CacheStore {
  const bucket = a.text('bucket') ?? a.needed(cloud.env['AWS_BUCKET'], 'bucket', 'AWS_BUCKET');
  const region = a.text('region') ?? a.needed(awsRegion(cloud), 'region', 'AWS_REGION');
  const id = a.text('access_key_id');
  const secret = a.text('secret_access_key');
  const objects = new S3Objects({
    cloud,
    bucket,
    region,
    keys: id !== undefined && secret !== undefined ? { id, secret, token: a.text('session_token') } : undefined,
    endpoint: a.text('endpoint_url'),
    pathStyle: a.boolean('use_path_style'),
    touchAfter: a.milliseconds('touch_refresh') ?? 24 * 3_600_000,
    parallel: a.count('upload_parallelism') ?? 4,
  });
  const prefix = a.text('prefix') ?? '';
  const configs = a.names().map((name) => `${prefix}${a.text('manifests_prefix') ?? 'manifests/'}${name}`);
  return cacheStore(objects, `${objects.name}/${configs[0]}`, {
    blob: (digest) => `${prefix}${a.text('blobs_prefix') ?? 'blobs/'}${digest}`,
    read: configs.slice(0, 1),
    written: configs,
  });
}

function azure(a: Attributes, cloud: Cloud): CacheStore {
  const { env } = cloud;
  const given = a.text('account_url') ?? env['BUILDKIT_AZURE_STORAGE_ACCOUNT_URL'];
  const text = a.needed(given, 'account_url', 'BUILDKIT_AZURE_STORAGE_ACCOUNT_URL');
  if (!URL.canParse(text)) throw a.bad('account_url is no URL');
  const account = new URL(text.endsWith('/') ? text : `${text}/`);
  const name = a.text('account_name') ?? env['BUILDKIT_AZURE_STORAGE_ACCOUNT_NAME'] ?? account.hostname.split('.')[0];
  const key = a.text('secret_access_key');
  const login: AzureLogin = key === undefined ? { token: azureToken(cloud) } : { account: name ?? '', key };
  const container = a.text('container') ?? env['BUILDKIT_AZURE_STORAGE_CONTAINER'] ?? 'buildkit-cache';
  const objects = new AzureObjects({ cloud, account, container, login });
  const prefix = a.text('prefix') ?? env['BUILDKIT_AZURE_STORAGE_PREFIX'] ?? '';
  const configs = a.names().map((one) => posix.join(prefix, a.text('manifests_prefix') ?? 'manifests', one));
  return cacheStore(objects, `${objects.name}/${configs[0]}`, {
    blob: (digest) => posix.join(prefix, a.text('blobs_prefix') ?? 'blobs', digest),
    read: configs.slice(0, 1),
    written: configs,
  });
}

function github(a: Attributes, cloud: Cloud): CacheStore | undefined {
  const { env } = cloud;
  const token = a.text('token') ?? env['ACTIONS_RUNTIME_TOKEN'];
  const second = a.text('url_v2') ?? (truthy(env['ACTIONS_CACHE_SERVICE_V2']) ? env['ACTIONS_RESULTS_URL'] : undefined);
  const first = a.text('url') ?? env['ACTIONS_CACHE_URL'];
  if (!token && !second && !first) return undefined;
  const asked = a.text('version');
  if (asked !== undefined && asked !== '1' && asked !== '2') throw a.bad(`there is no version "${asked}"`);
  const url = (asked === '1' ? undefined : second) ?? first;
  if (!url || !URL.canParse(url))
    throw a.bad('its url is missing', 'Give url or url_v2, or run in a job of GitHub Actions.');
  if (!token) throw a.bad('its token is missing', 'Give token, or hand ACTIONS_RUNTIME_TOKEN of the job to this step.');
  const version = asked === '2' || (asked === undefined && url === second) ? 2 : 1;
  const objects = new GithubObjects({ cloud, url, token, version });
  const scope = a.text('scope') ?? 'buildkit';
  const keyOf = (branch: string): string => githubConfigKey(scope, branch);
  const writable = objects.scopes.filter((one) => one.writable).map((one) => keyOf(one.scope));
  return cacheStore(objects, `${objects.name} (${scope})`, {
    blob: (digest) => `buildkit-blob-1-${digest}`,
    read: objects.scopes.map((one) => `${keyOf(one.scope)}#`),
    written: writable.slice(-1),
  });
}

function truthy(text: string | undefined): boolean {
  return text !== undefined && /^(1|t|true)$/i.test(text);
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

class Attributes {
  readonly #type: CacheStoreType;
  readonly #all: ReadonlyMap<string, string>;

  constructor(type: CacheStoreType, all: ReadonlyMap<string, string>) {
    this.#type = type;
    this.#all = all;
  }

  bad(detail: string, remedy?: string): Error {
    return cloudError('CLOUD_SETTING', `use a cache of type=${this.#type}: ${detail}`, { remedy });
  }

  text(name: string): string | undefined {
    return this.#all.get(name) || undefined;
  }

  needed(value: string | undefined, name: string, variable: string): string {
    if (!value) throw this.bad(`"${name}" is missing`, `Give ${name}=…, or set ${variable}.`);
    return value;
  }

  names(): readonly string[] {
    const names = (this.text('name') ?? 'buildkit').split(';').filter((name) => name !== '');
    if (names.length === 0) throw this.bad('name is empty');
    return names;
  }

  boolean(name: string): boolean | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (!/^(1|0|t|f|true|false)$/i.test(text)) throw this.bad(`${name} "${text}" is neither true nor false`);
    return truthy(text);
  }

  count(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (!/^[1-9]\d{0,3}$/.test(text)) throw this.bad(`${name} "${text}" is no number from 1 to 9999`);
    return Number(text);
  }

  /** As Go's time.ParseDuration reads it. */
  milliseconds(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (text === '0') return 0;
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
    if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text)
      throw this.bad(`${name} "${text}" is no time`, 'Write it as 90s, 10m or 24h.');
    return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS[unit as string] ?? 0), 0);
  }
}
