import { createHash, timingSafeEqual } from 'node:crypto';
import { kindOf, messageOf } from '../../../base/index.ts';
import { indexPath, type RegistryEntry, type WritableIndex } from '../../../frontend/buildpack/index.ts';
import { parseReference } from '../../../image/index.ts';
import { jsonAnswer, SiteRefusal, type Answer, type SiteRequest } from './answer.ts';
import type { Site } from './site.ts';

const STATUS: Readonly<Record<string, number>> = { not_found: 404, conflict: 409, invalid: 422, denied: 403 };

/** `POST api/v1/buildpacks` registers a version, `POST api/v1/buildpacks/NS/NAME/VERSION` yanks it or gives it back. */
export async function changeIndex(request: SiteRequest, site: Site): Promise<Answer> {
  const { tokens } = site;
  if (!tokens) throw new SiteRefusal(405, 'This registry is only read', { allow: 'GET, HEAD' });
  if (!(await allows(request.bearer, tokens)))
    throw new SiteRefusal(401, 'A token is needed', { 'www-authenticate': 'Bearer realm="buildpack registry"' });
  const [, , what, namespace, name, version] = request.path;
  if (what !== 'buildpacks') throw new SiteRefusal(404, 'There is no such page');
  const body = objectIn(await request.body());
  const index = indexOf(request.registry ?? body['registry'], site);
  try {
    if (namespace === undefined) return await register(body, { index, site });
    if (name === undefined || version === undefined) throw new SiteRefusal(405, 'Only a version can be changed');
    return await yank(body, { index, site, wanted: { namespace, name, version } });
  } catch (error) {
    const status = STATUS[kindOf(error)];
    throw status === undefined || error instanceof SiteRefusal ? error : new SiteRefusal(status, messageOf(error));
  }
}

async function register(body: Fields, { index, site }: { index: WritableIndex; site: Site }): Promise<Answer> {
  const address = textOf(body, 'address', 'addr');
  const entry: RegistryEntry = {
    namespace: textOf(body, 'namespace', 'ns'),
    name: textOf(body, 'name'),
    version: textOf(body, 'version'),
    yanked: false,
    address,
  };
  indexPath(entry.namespace, entry.name);
  if (!/^[0-9A-Za-z.+-]{1,128}$/.test(entry.version))
    throw new SiteRefusal(422, `"${entry.version}" may not be a version`);
  if (parseReference(address).digest === undefined) throw new SiteRefusal(422, `"${address}" has no digest`);
  await confirm(entry, site);
  index.register(entry);
  await site.catalog.refresh();
  return jsonAnswer(entryJson(entry), 201);
}

/** An entry has to be true: the image is asked which buildpack it is. */
async function confirm({ namespace, name, version, address }: RegistryEntry, { details }: Site): Promise<void> {
  const state = await details.want(address, { again: true });
  if (state.kind !== 'known') throw new SiteRefusal(422, `"${address}" cannot be read, or is no buildpack`);
  const { id, version: real } = state.details;
  if (id !== `${namespace}/${name}` || real !== version) throw new SiteRefusal(422, `"${address}" is "${id}@${real}"`);
}

async function yank(
  body: Fields,
  o: { index: WritableIndex; site: Site; wanted: { namespace: string; name: string; version: string } },
): Promise<Answer> {
  const { yanked } = body;
  if (typeof yanked !== 'boolean') throw new SiteRefusal(422, '"yanked" has to be true or false');
  o.index.yank(o.wanted, yanked);
  await o.site.catalog.refresh();
  return jsonAnswer({ ...o.wanted, yanked });
}

type Fields = Readonly<Record<string, unknown>>;

function objectIn(text: string): Fields {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  } catch {
    // Said below.
  }
  throw new SiteRefusal(400, 'The body is no JSON object');
}

function textOf(body: Fields, ...keys: readonly string[]): string {
  for (const key of keys) {
    const value = body[key];
    if (typeof value === 'string' && value !== '') return value;
  }
  throw new SiteRefusal(422, `"${keys[0]}" is missing`);
}

function indexOf(registry: unknown, { catalog }: Site): WritableIndex {
  const name = typeof registry === 'string' ? registry : undefined;
  const index = catalog.writable(name);
  if (index === 'unknown') throw new SiteRefusal(404, `There is no registry "${name}"`);
  if (index === 'read-only') throw new SiteRefusal(403, 'Only an index in a folder can be changed here');
  return index;
}

async function allows(bearer: string | undefined, tokens: () => Promise<readonly string[]>): Promise<boolean> {
  if (bearer === undefined) return false;
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  const given = digest(bearer);
  // All are compared, so that time says nothing of which one is near.
  return (await tokens()).map((token) => timingSafeEqual(digest(token), given)).includes(true);
}

function entryJson({ namespace, name, version, yanked, address }: RegistryEntry): unknown {
  return { id: `${namespace}/${name}`, namespace, name, version, yanked, address };
}
