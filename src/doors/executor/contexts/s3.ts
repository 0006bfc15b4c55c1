import type { Wait } from '../../../base/index.ts';
import { awsDomain, awsKeys, awsRegion, signed, strict, type Cloud } from '../../../cloud/index.ts';
import { bucketPlace } from './bucket.ts';
import { download } from './download.ts';

/** An object of S3 or of a server that speaks its language (S3_ENDPOINT, S3_FORCE_PATH_STYLE as kaniko; AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL as AWS). */
export async function fetchS3(text: string, o: { readonly cloud: Cloud; readonly path: string } & Wait): Promise<void> {
  const { cloud, signal } = o;
  const { env } = cloud;
  const { bucket, object } = bucketPlace(text);
  const own = env['S3_ENDPOINT'];
  const endpoint = own || env['AWS_ENDPOINT_URL_S3'] || env['AWS_ENDPOINT_URL'] || undefined;
  // As in kaniko, the style is only asked for with an endpoint of one's own.
  const byPath = own ? env['S3_FORCE_PATH_STYLE']?.toLowerCase() === 'true' : false;
  let region = awsRegion(cloud) ?? 'us-east-1';
  const keys = await awsKeys(cloud, { signal });
  const address = (): URL => objectUrl({ bucket, object, region, endpoint, byPath });
  await download(cloud.http, address(), {
    path: o.path,
    what: `download "${text}"`,
    signal,
    headers: async (url, range) =>
      signed('GET', url, {
        keys,
        region,
        service: 's3',
        now: cloud.clock.now(),
        headers: range === undefined ? {} : { range },
      }),
    // A bucket of another region says so, in a redirect that a signature for this one does not survive.
    elsewhere: (headers) => {
      const there = headers['x-amz-bucket-region'];
      if (endpoint !== undefined || there === undefined || there === region) return undefined;
      region = there;
      return address();
    },
  });
}

/** Where an object is asked for: the bucket in the host's name, or in the path where that cannot be (dots and TLS, `byPath`). */
function objectUrl(o: {
  bucket: string;
  object: string;
  region: string;
  endpoint: string | undefined;
  byPath: boolean;
}): URL {
  const path = o.object.split('/').map(strict).join('/');
  const base = new URL(o.endpoint ?? `https://s3.${o.region}.${awsDomain(o.region)}`);
  const below = base.pathname.replace(/\/$/, '');
  const isName = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(o.bucket);
  const isAddress = /^(\[.*\]|\d+\.\d+\.\d+\.\d+)$/.test(base.hostname);
  if (o.byPath || !isName || isAddress) return new URL(`${base.origin}${below}/${strict(o.bucket)}/${path}`);
  return new URL(`${base.protocol}//${o.bucket}.${base.host}${below}/${path}`);
}
