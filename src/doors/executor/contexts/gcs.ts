import type { Wait } from '../../../base/index.ts';
import { googleToken, type Cloud } from '../../../cloud/index.ts';
import { bucketPlace } from './bucket.ts';
import { download } from './download.ts';

/** An object of Google Cloud Storage, or of an emulator (STORAGE_EMULATOR_HOST). Without a login only what everybody may read. */
export async function fetchGcs(
  text: string,
  o: { readonly cloud: Cloud; readonly path: string } & Wait,
): Promise<void> {
  const { cloud, signal } = o;
  const { bucket, object } = bucketPlace(text);
  const emulator = cloud.env['STORAGE_EMULATOR_HOST'];
  const base = !emulator
    ? 'https://storage.googleapis.com'
    : /^https?:\/\//.test(emulator)
      ? emulator.replace(/\/$/, '')
      : `http://${emulator}`;
  // An emulator asks nobody who he is, unless a login was named.
  const named = cloud.env['GOOGLE_APPLICATION_CREDENTIALS'];
  const token = emulator && !named ? undefined : await googleToken(cloud, { signal });
  const place = `/storage/v1/b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(object)}?alt=media`;
  await download(cloud.http, new URL(base + place), {
    path: o.path,
    what: `download "${text}"`,
    signal,
    headers: async () => (token === undefined ? {} : { authorization: `Bearer ${token}` }),
  });
}
