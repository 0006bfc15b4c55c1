import { closeSync, openSync, writeSync } from 'node:fs';
import { HttpClient, messageOf, redactUrl, type Wait } from '../../../base/index.ts';
import { cliError } from '../errors.ts';

const MOST_REDIRECTS = 10;

/** Downloads a file by http or https, redirects followed. Throws `CONTEXT_FETCH_FAILED`, and what reaching a server can bring. */
export async function fetchUrl(
  text: string,
  o: { readonly path: string; readonly onProgress: (bytes: number, total: number | undefined) => void } & Wait,
): Promise<void> {
  await using http = new HttpClient();
  let url = new URL(text);
  for (let turn = 0; ; turn += 1) {
    await using response = await http.request({ method: 'GET', url, signal: o.signal });
    const { status, headers } = response;
    const location = headers['location'];
    const what = `download "${redactUrl(url)}"`;
    if (status >= 300 && status < 400 && location !== undefined) {
      const next = URL.parse(location, url);
      if (turn >= MOST_REDIRECTS || !next || !/^https?:$/.test(next.protocol))
        throw cliError('CONTEXT_FETCH_FAILED', `${what}: it leads from one address to the next without an end`);
      url = next;
      continue;
    }
    if (status !== 200)
      throw cliError('CONTEXT_FETCH_FAILED', `${what}: HTTP status ${status}`, {
        remedy: status === 404 ? 'Check the address; a git repository ends in ".git".' : undefined,
      });
    const length = Number(headers['content-length'] ?? Number.NaN);
    const total = Number.isSafeInteger(length) ? length : undefined;
    const fd = openSync(o.path, 'wx', 0o600);
    try {
      let bytes = 0;
      for await (const chunk of response.body) {
        for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
        bytes += chunk.length;
        o.onProgress(bytes, total);
      }
    } catch (error) {
      throw cliError('CONTEXT_FETCH_FAILED', `${what}: ${messageOf(error)}`, { cause: error });
    } finally {
      closeSync(fd);
    }
    return;
  }
}
