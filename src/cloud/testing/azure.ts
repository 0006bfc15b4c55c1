import { createHmac } from 'node:crypto';
import { ranged, standIn, type Answered, type Arrived, type StandIn } from './stand-in.ts';

export interface AzureStandIn extends StandIn {
  readonly containers: Set<string>;
  /** By `container/name`. */
  readonly blobs: Map<string, Buffer>;
}

/** An account of Azure Blob Storage on an address of its own. Who asks must sign with the account's key, hold this token, or use an address with `sig=fine`. */
export async function azureStandIn(o: { account: string; key: string; token?: string }): Promise<AzureStandIn> {
  const containers = new Set<string>();
  const blobs = new Map<string, Buffer>();
  const blocks = new Map<string, Buffer>();
  const server = await standIn((request) => {
    const { method, url, headers, body } = request;
    const isSigned = url.searchParams.get('sig') === 'fine';
    if (!isSigned && !isAllowed(request, o)) return fault(403, 'Server failed to authenticate the request.');
    if (headers['x-ms-version'] === undefined) return fault(400, 'no version');
    const [container = '', ...rest] = decodeURIComponent(url.pathname.slice(1)).split('/');
    const name = `${container}/${rest.join('/')}`;
    if (url.searchParams.get('restype') === 'container') {
      if (containers.has(container)) return fault(409, 'ContainerAlreadyExists');
      containers.add(container);
      return { status: 201 };
    }
    if (!containers.has(container)) return fault(404, 'ContainerNotFound');
    if (method === 'PUT') return put();
    const blob = blobs.get(name);
    if (!blob) return fault(404, 'BlobNotFound');
    const answer = ranged(blob, headers['x-ms-range'] as string | undefined);
    return method === 'HEAD' ? { status: 200, headers: { 'content-length': String(blob.length) } } : answer;

    function put(): Answered {
      const block = url.searchParams.get('blockid');
      if (block !== null) blocks.set(`${name} ${block}`, body);
      else if (url.searchParams.get('comp') === 'blocklist') {
        const ids = [...body.toString().matchAll(/<Latest>([^<]*)<\/Latest>/g)].map(([, id]) => id);
        const parts = ids.map((id) => blocks.get(`${name} ${id}`));
        if (parts.includes(undefined)) return fault(400, 'InvalidBlockList');
        blobs.set(name, Buffer.concat(parts as Buffer[]));
      } else if (headers['x-ms-blob-type'] === 'BlockBlob') blobs.set(name, body);
      else return fault(400, 'MissingRequiredHeader');
      return { status: 201 };
    }
  });
  return Object.assign(server, { containers, blobs });
}

function fault(status: number, words: string): Answered {
  return { status, body: `<Error><Message>${words}</Message></Error>` };
}

/** Authorize with Shared Key, 2009-09-19 and later, by what arrived. */
function isAllowed(
  { method, url, headers, body }: Arrived,
  o: { account: string; key: string; token?: string },
): boolean {
  const { authorization = '' } = headers;
  if (o.token !== undefined && authorization === `Bearer ${o.token}`) return true;
  const own = (name: string): string => String(headers[name] ?? '');
  const canonicalHeaders = Object.keys(headers)
    .filter((name) => name.startsWith('x-ms-'))
    .sort()
    .map((name) => `${name}:${own(name)}`);
  const resource = [...url.searchParams]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${value}`);
  const text = [
    method,
    own('content-encoding'),
    own('content-language'),
    body.length === 0 ? '' : String(body.length),
    own('content-md5'),
    own('content-type'),
    '',
    own('if-modified-since'),
    own('if-match'),
    own('if-none-match'),
    own('if-unmodified-since'),
    own('range'),
    ...canonicalHeaders,
    [`/${o.account}${url.pathname}`, ...resource].join('\n'),
  ].join('\n');
  const signature = createHmac('sha256', Buffer.from(o.key, 'base64')).update(text).digest('base64');
  return authorization === `SharedKey ${o.account}:${signature}`;
}
