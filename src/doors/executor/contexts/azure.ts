import { redactUrl, type Wait } from '../../../base/index.ts';
import { azureHeaders, cloudError, type Cloud } from '../../../cloud/index.ts';
import { download } from './download.ts';

const HOSTS = /^https:\/\/[^/]+\.blob\.core\.(windows\.net|chinacloudapi\.cn|cloudapi\.de|usgovcloudapi\.net)\/./;

/** True for the URL of a blob in one of Azure's clouds. */
export function isAzure(text: string): boolean {
  return HOSTS.test(text);
}

/** A blob of Azure: by a shared access signature in its URL, else by the account's key in AZURE_STORAGE_ACCESS_KEY. Throws `CLOUD_LOGIN_MISSING`. */
export async function fetchAzure(
  text: string,
  o: { readonly cloud: Cloud; readonly path: string } & Wait,
): Promise<void> {
  const { cloud, signal } = o;
  const url = new URL(text);
  const what = `download "${redactUrl(url)}"`;
  const shared = url.searchParams.has('sig');
  const key = cloud.env['AZURE_STORAGE_ACCESS_KEY'];
  if (!shared && !key)
    throw cloudError('CLOUD_LOGIN_MISSING', `${what}: AZURE_STORAGE_ACCESS_KEY is not set`, {
      remedy: 'Set it to a key of the storage account, or use a URL with a shared access signature.',
    });
  const account = url.hostname.split('.')[0] ?? '';
  await download(cloud.http, url, {
    path: o.path,
    what,
    signal,
    headers: async (at, range) =>
      shared
        ? {}
        : azureHeaders('GET', at, {
            login: { account, key: key ?? '' },
            now: cloud.clock.now(),
            headers: range === undefined ? {} : { 'x-ms-range': range },
          }),
  });
}
