import { ranged, standIn, type Answered, type StandIn } from './stand-in.ts';
import type { AzureStandIn } from './azure.ts';

export interface GithubStandIn extends StandIn {
  /** Whole entries, the oldest first. */
  readonly entries: { readonly key: string; readonly content: () => Buffer }[];
  /** Keys that were reserved and not ended: somebody else is writing them. */
  readonly reserved: Set<string>;
  readonly token: string;
}

/** A token as a job has it, for branches that may be written or only read. */
export function jobToken(scopes: readonly { readonly scope: string; readonly writable: boolean }[]): string {
  const ac = JSON.stringify(scopes.map(({ scope, writable }) => ({ Scope: scope, Permission: writable ? 3 : 1 })));
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part({ ac, nbf: 0, exp: 4_000_000_000 })}.signature`;
}

/** Both of GitHub's cache services; the second one's contents lie in `azure`. */
export async function githubStandIn(token: string, azure: AzureStandIn): Promise<GithubStandIn> {
  const entries: GithubStandIn['entries'] = [];
  const reserved = new Set<string>();
  const uploads = new Map<number, { key: string; parts: Map<number, Buffer> }>();
  azure.containers.add('actions');
  let ids = 0;
  const find = (key: string) =>
    entries.findLast((entry) => entry.key === key) ?? entries.findLast((entry) => entry.key.startsWith(key));
  const reserve = (key: string): boolean => {
    if (reserved.has(key) || entries.some((entry) => entry.key === key)) return false;
    reserved.add(key);
    return true;
  };
  const server = await standIn(({ method, url, headers, body }) => {
    if (url.pathname.startsWith('/archive/')) {
      const entry = entries[Number(url.pathname.slice('/archive/'.length))];
      return entry ? ranged(entry.content(), headers.range) : { status: 404 };
    }
    if (headers.authorization !== `Bearer ${token}`) return json(401, { message: 'who are you' });
    const twirp = /^\/twirp\/github\.actions\.results\.api\.v1\.CacheService\/(\w+)$/.exec(url.pathname)?.[1];
    if (twirp !== undefined)
      return json(200, twirpAnswer(twirp, JSON.parse(body.toString()) as Readonly<Record<string, unknown>>));
    return rest(method, url, headers['content-range'], body);
  });
  return Object.assign(server, { entries, reserved, token });

  function twirpAnswer(method: string, request: Readonly<Record<string, unknown>>): unknown {
    const key = String(request['key']);
    const signedPlace = (name: string): string => `${azure.url}/actions/${encodeURIComponent(name)}?sig=fine`;
    if (method === 'GetCacheEntryDownloadURL') {
      const entry = find(key);
      if (!entry) return { ok: false };
      return { ok: true, signed_download_url: signedPlace(entry.key), matched_key: entry.key };
    }
    if (method === 'CreateCacheEntry')
      return reserve(key) ? { ok: true, signed_upload_url: signedPlace(key) } : { ok: false };
    const content = azure.blobs.get(`actions/${key}`);
    if (!content || !reserved.has(key) || content.length !== request['size_bytes']) return { ok: false };
    reserved.delete(key);
    entries.push({ key, content: () => content });
    return { ok: true, entry_id: '1' };
  }

  function rest(method: string, url: URL, range: string | undefined, body: Buffer): Answered {
    const place = /^\/_apis\/artifactcache\/(cache|caches)(?:\/(\d+))?$/.exec(url.pathname);
    if (!place) return { status: 404 };
    const upload = uploads.get(Number(place[2]));
    if (method === 'GET') {
      const entry = find(url.searchParams.get('keys') ?? '');
      if (!entry) return { status: 204 };
      return json(200, { cacheKey: entry.key, archiveLocation: `${server.url}/archive/${entries.indexOf(entry)}` });
    }
    if (method === 'POST' && !place[2]) {
      const { key } = JSON.parse(body.toString()) as { key: string };
      if (!reserve(key))
        return json(409, { typeKey: 'ArtifactCacheItemAlreadyExistsException', message: 'Cache already exists.' });
      uploads.set(++ids, { key, parts: new Map() });
      return json(201, { cacheId: ids });
    }
    if (!upload) return { status: 404 };
    if (method === 'PATCH') {
      const from = Number(/^bytes (\d+)-\d+\/\*$/.exec(range ?? '')?.[1] ?? Number.NaN);
      upload.parts.set(from, body);
      return { status: 204 };
    }
    const content = Buffer.concat([...upload.parts].sort(([a], [b]) => a - b).map(([, part]) => part));
    const { size } = JSON.parse(body.toString()) as { size: number };
    if (content.length !== size) return json(400, { message: 'the size is another one' });
    reserved.delete(upload.key);
    entries.push({ key: upload.key, content: () => content });
    return { status: 204 };
  }
}

function json(status: number, value: unknown): Answered {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}
