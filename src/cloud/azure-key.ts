import { createHmac } from 'node:crypto';

const VERSION = '2021-08-06';

/** Who asks Azure: an account with its key, or whoever has this token. */
export type AzureLogin =
  | { readonly account: string; readonly key: string }
  /** Asked for when it is needed. */
  | { readonly token: () => Promise<string> };

export interface AzureRequest {
  /** Absent where the address is signed. */
  readonly login: AzureLogin | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Names that begin with `x-ms-` take part in the signature; no others are allowed. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Bytes of the body; absent without one. */
  readonly length?: number | undefined;
}

/** The headers of a request to Azure Storage, signed (Authorize with Shared Key) or with the token of who asks. */
export async function azureHeaders(
  method: string,
  url: URL,
  { login, now, headers = {}, length }: AzureRequest,
): Promise<Record<string, string>> {
  const sent: Record<string, string> = {
    'x-ms-date': new Date(now).toUTCString(),
    'x-ms-version': VERSION,
    ...headers,
  };
  if (!login) return sent;
  if ('token' in login) return { ...sent, authorization: `Bearer ${await login.token()}` };
  const names = Object.keys(sent).sort();
  const query = [...url.searchParams]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `\n${name.toLowerCase()}:${value}`);
  const text = [
    method,
    // Content-Encoding, Content-Language, Content-Length; then Content-MD5 … Range: none is sent.
    '',
    '',
    length ? String(length) : '',
    ...Array.from({ length: 8 }, () => ''),
    ...names.map((name) => `${name}:${sent[name]}`),
    `/${login.account}${url.pathname}${query.join('')}`,
  ].join('\n');
  const signature = createHmac('sha256', Buffer.from(login.key, 'base64')).update(text).digest('base64');
  return { ...sent, authorization: `SharedKey ${login.account}:${signature}` };
}
