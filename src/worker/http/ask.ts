import { redactUrl, type HttpClient, type HttpResponse, type Wait } from '../../base/index.ts';
import { downloadError } from './errors.ts';

export interface Asking extends Wait {
  readonly http: HttpClient;
  readonly method: 'GET' | 'HEAD';
  readonly headers: Readonly<Record<string, string>>;
}

const MOST_REDIRECTS = 10;

/** One answer that is no redirect. A login goes along to the same host and those below it (as Go's net/http has it), and never from TLS to what is none. */
export async function ask(address: string, o: Asking): Promise<HttpResponse> {
  const first = new URL(address);
  let url = first;
  for (let turn = 0; ; turn += 1) {
    const { authorization, ...plain } = o.headers;
    const login = authorization !== undefined && mayKnow(first, url) ? { authorization } : {};
    const bare = new URL(url);
    bare.username = '';
    bare.password = '';
    bare.hash = '';
    const { http, method, signal } = o;
    const response = await http.request({ method, url: bare, headers: { ...plain, ...login }, signal });
    const { location } = response.headers;
    if (![301, 302, 303, 307, 308].includes(response.status) || location === undefined) return response;
    await response[Symbol.asyncDispose]();
    const next = URL.parse(location, url);
    const what = `download "${redactUrl(first)}"`;
    if (!next || !/^https?:$/.test(next.protocol))
      throw downloadError('DOWNLOAD_REDIRECT', `${what}: it leads to what is no web address`);
    if (turn >= MOST_REDIRECTS)
      throw downloadError('DOWNLOAD_REDIRECT', `${what}: stopped after ${MOST_REDIRECTS} redirects`, {
        remedy: 'Check the address.',
      });
    url = next;
  }
}

function mayKnow(first: URL, url: URL): boolean {
  if (first.protocol === 'https:' && url.protocol !== 'https:') return false;
  return url.host === first.host || url.hostname.endsWith(`.${first.hostname}`);
}
