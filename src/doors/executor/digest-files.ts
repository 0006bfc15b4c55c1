import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf, redactUrl, type HttpClient, type Wait } from '../../base/index.ts';
import { parseReference } from '../../image/index.ts';
import { executorError } from './errors.ts';
import type { ExecutorOptions } from './options.ts';

/** True when something is to be told of the digest of the manifest. */
export function wantsDigest(o: ExecutorOptions, env: Readonly<Record<string, string | undefined>>): boolean {
  return (
    o.digestFile !== undefined ||
    o.nameDigestFile !== undefined ||
    o.nameTagDigestFile !== undefined ||
    Boolean(env['BUILDER_OUTPUT'])
  );
}

/**
 * The files that pipelines read, byte for byte as kaniko writes them (pkg/executor/push.go): the digest without an end of line; `name@digest` lines; `name:tag@digest` lines. A quirk is kept: with the file for tags the other one has
 * the tags, too. Throws `DIGEST_FILE_FAILED`.
 */
export async function writeDigestFiles(
  digest: string,
  o: { readonly options: ExecutorOptions; readonly http: HttpClient } & Wait,
): Promise<void> {
  const { options } = o;
  if (options.digestFile !== undefined) await write(options.digestFile, digest, o);
  const withTag = options.nameTagDigestFile !== undefined;
  const lines = options.destinations.map((name) => `${nameOf(name, withTag)}@${digest}\n`).join('');
  if (options.nameDigestFile !== undefined) await write(options.nameDigestFile, lines, o);
  if (options.nameTagDigestFile !== undefined) await write(options.nameTagDigestFile, lines, o);
}

/** Names as go-containerregistry writes them: Docker Hub is index.docker.io. */
export function nameOf(destination: string, withTag: boolean): string {
  const { registry, repository, tag } = parseReference(destination);
  const host = registry === 'docker.io' ? 'index.docker.io' : registry;
  return `${host}/${repository}${withTag ? `:${tag ?? 'latest'}` : ''}`;
}

async function write(place: string, text: string, o: { readonly http: HttpClient } & Wait): Promise<void> {
  if (place.startsWith('https://')) {
    const what = `write the digest to "${redactUrl(place)}"`;
    await using response = await o.http.request({
      method: 'PUT',
      url: place,
      headers: { 'content-type': 'text/plain', 'content-length': String(Buffer.byteLength(text)) },
      body: Buffer.from(text),
      signal: o.signal,
    });
    if (response.status >= 400) throw executorError('DIGEST_FILE_FAILED', `${what}: HTTP status ${response.status}`);
    return;
  }
  try {
    mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
    writeFileSync(place, text, { mode: 0o644 });
  } catch (error) {
    throw executorError('DIGEST_FILE_FAILED', `write the digest to "${place}": ${messageOf(error)}`, { cause: error });
  }
}
