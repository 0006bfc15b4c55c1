import { createHmac } from 'node:crypto';

const VERSION = '2021-08-06';

/** The headers that sign a GET of a blob with the key of its account (Azure Storage, Authorize with Shared Key). */
export function azureSigned(
  url: URL,
  o: { readonly account: string; readonly key: string; readonly now: number; readonly range?: string | undefined },
): Record<string, string> {
  const headers: Record<string, string> = {
    'x-ms-date': new Date(o.now).toUTCString(),
    'x-ms-version': VERSION,
    ...(o.range !== undefined && { 'x-ms-range': o.range }),
  };
  const names = Object.keys(headers).sort();
  const query = [...url.searchParams]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `\n${name.toLowerCase()}:${value}`);
  const text = [
    'GET',
    // Content-Encoding … If-Unmodified-Since, Range: none is sent.
    ...Array.from({ length: 11 }, () => ''),
    ...names.map((name) => `${name}:${headers[name]}`),
    `/${o.account}${url.pathname}${query.join('')}`,
  ].join('\n');
  const signature = createHmac('sha256', Buffer.from(o.key, 'base64')).update(text).digest('base64');
  return { ...headers, authorization: `SharedKey ${o.account}:${signature}` };
}
