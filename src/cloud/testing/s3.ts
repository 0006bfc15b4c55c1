import { createHash, createHmac } from 'node:crypto';
import type { AwsKeys } from '../sigv4.ts';
import { ranged, standIn, type Answered, type Arrived, type StandIn } from './stand-in.ts';

export interface S3StandIn extends StandIn {
  /** By `bucket/key`. */
  readonly objects: Map<string, { content: Buffer; modifiedAt: number }>;
  /** Uploads that were begun and neither ended nor given up. */
  readonly uploads: Map<string, Map<number, Buffer>>;
}

/** One bucket's service, with the bucket in the path: checks every signature by what arrived (AWS, Create a signed request). */
export async function s3StandIn(keys: AwsKeys): Promise<S3StandIn> {
  const objects: S3StandIn['objects'] = new Map();
  const uploads: S3StandIn['uploads'] = new Map();
  let begun = 0;
  const server = await standIn((request) => {
    const wrong = wrongSignature(request, keys);
    if (wrong !== undefined) return fault(403, wrong);
    const { method, url, headers, body } = request;
    const key = decodeURIComponent(url.pathname.slice(1));
    const upload = url.searchParams.get('uploadId');
    const parts = upload === null ? undefined : uploads.get(upload);
    const object = objects.get(key);
    switch (method) {
      case 'HEAD':
      case 'GET':
        if (!object) return fault(404, 'The specified key does not exist.');
        return {
          ...ranged(object.content, headers.range),
          headers: {
            ...(method === 'HEAD' && { 'content-length': String(object.content.length) }),
            'last-modified': new Date(object.modifiedAt).toUTCString(),
          },
        };
      case 'POST': {
        if (url.searchParams.has('uploads')) {
          const id = `id&${++begun}`;
          uploads.set(id, new Map());
          return { status: 200, body: `<R><UploadId>${id.replace('&', '&amp;')}</UploadId></R>` };
        }
        if (!parts) return fault(404, 'no such upload');
        const wanted = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>([^<]*)<\/ETag>/g)];
        const whole = wanted.map(([, number, tag]) => {
          const part = parts.get(Number(number));
          return part && `&quot;${digestOf(part)}&quot;` === tag ? part : undefined;
        });
        if (whole.includes(undefined) || whole.length !== parts.size)
          return { status: 200, body: '<Error>parts</Error>' };
        if (whole.slice(0, -1).some((part) => (part?.length ?? 0) < 5 << 20))
          return { status: 200, body: '<Error>small</Error>' };
        objects.set(key, { content: Buffer.concat(whole as Buffer[]), modifiedAt: Date.now() });
        uploads.delete(upload ?? '');
        return { status: 200, body: '<CompleteMultipartUploadResult/>' };
      }
      case 'PUT': {
        if (parts) {
          parts.set(Number(url.searchParams.get('partNumber')), body);
          return { status: 200, headers: { etag: `"${digestOf(body)}"` } };
        }
        const source = headers['x-amz-copy-source'];
        if (source === undefined) objects.set(key, { content: body, modifiedAt: Date.now() });
        else {
          const from = objects.get(decodeURIComponent(String(source)).slice(1));
          if (!from) return fault(404, 'nothing to copy');
          objects.set(key, { content: from.content, modifiedAt: Date.now() });
        }
        return { status: 200 };
      }
      default:
        uploads.delete(upload ?? '');
        return { status: 204 };
    }
  });
  return Object.assign(server, { objects, uploads });
}

function fault(status: number, words: string): Answered {
  return { status, body: `<Error><Message>${words}</Message></Error>` };
}

function digestOf(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}

function wrongSignature({ method, url, path, headers, body }: Arrived, keys: AwsKeys): string | undefined {
  const match = /^AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
    headers.authorization ?? '',
  );
  if (!match) return 'no signature';
  const [, credential = '', names = '', signature] = match;
  const [id, ...scope] = credential.split('/');
  if (id !== keys.id) return 'whose key is this';
  if (headers['x-amz-content-sha256'] !== digestOf(body)) return 'the body is another one';
  if ((headers['x-amz-security-token'] as string | undefined) !== keys.token) return 'another token';
  for (const name of Object.keys(headers))
    if ((name.startsWith('x-amz-') || name === 'host') && !names.split(';').includes(name))
      return `${name} is not signed`;
  const query = url.search
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => (pair.includes('=') ? pair : `${pair}=`))
    .map((pair) => pair.replaceAll('+', '%20'))
    .sort();
  const canonical = [
    method,
    path.split('?')[0],
    query.join('&'),
    ...names.split(';').map((name) => `${name}:${String(headers[name]).trim()}`),
    '',
    names,
    digestOf(body),
  ].join('\n');
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope.join('/'), digestOf(canonical)].join('\n');
  let key: Buffer = Buffer.from(`AWS4${keys.secret}`);
  for (const part of scope) key = createHmac('sha256', key).update(part).digest();
  return createHmac('sha256', key).update(text).digest('hex') === signature ? undefined : 'the signature is wrong';
}
