import { LIST_LIMIT } from '../../../frontend/buildpack/index.ts';
import { jsonAnswer, SiteRefusal, type Answer, type SiteRequest } from './answer.ts';
import type { CatalogBuildpack, CatalogVersion } from './catalog.ts';
import type { DetailsState } from './details.ts';
import { changeIndex } from './change-index.ts';
import { searchCatalog } from './search.ts';
import type { Site } from './site.ts';

/** Milliseconds that an answer about one buildpack waits for what its image says. */
const PATIENCE = 5000;

/** `/api/v1/…`: paths and members of the API of registry.buildpacks.io, and more. */
export async function answerApi(request: SiteRequest, site: Site): Promise<Answer> {
  const [, , what, namespace, name, version, ...more] = request.path;
  if (more.length > 0) throw unknown();
  if (request.method === 'POST') return changeIndex(request, site);
  if (what === 'search' && namespace === undefined) return search(request, site);
  if (what === 'registries' && namespace === undefined) return jsonAnswer(registries(site));
  if (what !== 'buildpacks') throw unknown();
  if (namespace === undefined) return list(request, site);
  if (name === undefined) throw unknown();
  const found = await site.catalog.find({ namespace, name }, request);
  if (!found) throw unknown('Unknown buildpack');
  if (version === undefined) {
    const latest = found.newest ?? found.versions[0];
    return jsonAnswer({
      latest: latest && describe(latest, await site.details.within(latest.address, PATIENCE)),
      versions: found.versions.map((one) => versionLink(one, request)),
    });
  }
  const one = found.versions.find((entry) => entry.version === version);
  if (!one) throw unknown('Unknown buildpack');
  return jsonAnswer(describe(one, await site.details.within(one.address, PATIENCE)));
}

/** What `httpIndex` lists by. */
function list({ query, registry }: SiteRequest, site: Site): Answer {
  const limit = numberOf(query, 'limit', LIST_LIMIT);
  const offset = numberOf(query, 'offset', Number.MAX_SAFE_INTEGER, 0);
  const found = searchCatalog(site, {
    text: query.get('q') ?? '',
    registry: registry ?? query.get('registry') ?? undefined,
  });
  return jsonAnswer({
    total: found.length,
    buildpacks: found.slice(offset, offset + limit).map((one) => summary(one, site)),
  });
}

function summary({ id, namespace, name, versions, newest }: CatalogBuildpack, site: Site): unknown {
  const latest = newest ?? versions[0];
  return {
    id,
    namespace,
    name,
    latest: latest && describe(latest, site.details.peek(latest.address)),
    versions: versions.map(({ version, yanked, address, registry }) => ({ version, yanked, address, registry })),
  };
}

function search(request: SiteRequest, site: Site): Answer {
  const text = request.query.get('matches') ?? '';
  if (text === '') throw new SiteRefusal(400, "Missing search string 'matches'");
  return jsonAnswer(
    searchCatalog(site, { text })
      .slice(0, LIST_LIMIT)
      .map(({ versions, newest }) => {
        const latest = newest ?? versions[0];
        return {
          latest: latest && describe(latest, site.details.peek(latest.address)),
          versions: versions.map((one) => versionLink(one, request)),
        };
      }),
  );
}

function versionLink(
  { namespace, name, version, yanked, address }: CatalogVersion,
  { address: at }: SiteRequest,
): unknown {
  const path = [namespace, name, version].map((part) => encodeURIComponent(part)).join('/');
  return { version, yanked, address, _link: `${at}api/v1/buildpacks/${path}` };
}

/** A version, with what its image says of it where that is known: `details` is `known`, `unread` or `failed`. */
function describe(entry: CatalogVersion, state: DetailsState): unknown {
  const { namespace, name, version, yanked, address, registry } = entry;
  const own = { id: `${namespace}/${name}`, namespace, name, version, yanked, address, registry, details: state.kind };
  if (state.kind !== 'known') return own;
  const { title, description, homepage, licenses, keywords, api, stacks, targets, order } = state.details;
  return {
    ...own,
    title,
    description,
    homepage,
    licenses: licenses.flatMap(({ type }) => type ?? []),
    keywords,
    api,
    stacks,
    targets,
    order: order.map((group) => group.map(({ id, version: wanted, optional }) => ({ id, version: wanted, optional }))),
  };
}

function registries({ catalog }: Site): unknown {
  return catalog.registries.map(({ name, kind, url, buildpacks, listed, stale, writable }) => ({
    name,
    kind,
    url,
    buildpacks,
    listed,
    stale,
    writable,
  }));
}

function numberOf(query: URLSearchParams, key: string, most: number, otherwise = most): number {
  const text = query.get(key);
  if (text === null) return otherwise;
  if (!/^\d{1,9}$/.test(text)) throw new SiteRefusal(400, `"${key}" is no number`);
  return Math.min(most, Number(text));
}

function unknown(message = 'There is no such page'): SiteRefusal {
  return new SiteRefusal(404, message);
}
