import { createHash, createHmac } from 'node:crypto';

export interface AwsKeys {
  readonly id: string;
  readonly secret: string;
  /** Of temporary keys. */
  readonly token?: string | undefined;
}

export interface SigningOptions {
  readonly keys: AwsKeys;
  readonly region: string;
  readonly service: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
  /** Of the body, hexadecimal, where that is not given. */
  readonly sha256?: string | undefined;
}

/** The headers that sign a request (AWS Signature Version 4): those given, `x-amz-date`, `authorization` and, for S3, the digest of the body. The path of the URL must be encoded as it is sent. */
export function signed(method: string, url: URL, o: SigningOptions): Record<string, string> {
  const time = new Date(o.now).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const day = time.slice(0, 8);
  const digest = o.sha256 ?? sha256(o.body ?? '');
  const headers: Record<string, string> = {
    ...Object.fromEntries(Object.entries(o.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value])),
    host: url.host,
    'x-amz-date': time,
    ...(o.service === 's3' && { 'x-amz-content-sha256': digest }),
    ...(o.keys.token !== undefined && { 'x-amz-security-token': o.keys.token }),
  };
  const names = Object.keys(headers).sort();
  const canonical = [
    method,
    // All services but S3 encode the path once more.
    o.service === 's3' ? url.pathname : url.pathname.split('/').map(strict).join('/'),
    [...url.searchParams]
      .map(([name, value]) => `${strict(name)}=${strict(value)}`)
      .sort()
      .join('&'),
    ...names.map((name) => `${name}:${(headers[name] ?? '').trim().replaceAll(/ +/g, ' ')}`),
    '',
    names.join(';'),
    digest,
  ].join('\n');
  const scope = `${day}/${o.region}/${o.service}/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n');
  let key: Buffer = Buffer.from(`AWS4${o.keys.secret}`);
  for (const part of [day, o.region, o.service, 'aws4_request']) key = hmac(key, part);
  const signature = hmac(key, text).toString('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${o.keys.id}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  const { host: _host, ...sent } = headers;
  return { ...sent, authorization };
}

/** Percent-encoding as AWS wants it: all but letters, digits and -._~ (UriEncode in its documents). */
export function strict(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
