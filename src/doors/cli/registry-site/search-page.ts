import { markup, type Markup } from '../report/markup.ts';
import type { Answer, SiteRequest } from './answer.ts';
import type { CatalogBuildpack } from './catalog.ts';
import { framed, pageOf, rootOf } from './page-frame.ts';
import { LONGEST_QUERY, searchCatalog } from './search.ts';
import type { Site } from './site.ts';

/** Buildpacks on one page. Up to here the script searches all there are, as one types. */
const PAGE = 300;

/** The first page: the form and what it finds. */
export function searchPage(request: SiteRequest, site: Site): Answer {
  const text = (request.query.get('q') ?? '').slice(0, LONGEST_QUERY);
  const { all, registries } = site.catalog;
  const wanted = request.query.get('registry') ?? '';
  const registry = registries.some(({ name }) => name === wanted) ? wanted : undefined;
  const found = searchCatalog(site, { text, registry });
  const page = Math.min(pageNumber(request), Math.max(1, Math.ceil(found.length / PAGE)));
  const shown = found.slice((page - 1) * PAGE, page * PAGE);
  const isWhole = all.length <= PAGE;
  const others = isWhole ? all.filter((one) => !found.includes(one)) : [];
  // Read for whoever comes next.
  for (const { newest } of shown.slice(0, 50)) if (newest) void site.details.want(newest.address);
  const row = (one: CatalogBuildpack, isHidden: boolean): Markup => result(one, { request, site, isHidden });
  const isAll = text.trim() === '' && registry === undefined;
  const several = registries.length > 1;
  const unlisted = registries.filter(({ listed }) => !listed);
  return framed(
    {
      title: text === '' ? 'Buildpacks' : `${text} – Buildpacks`,
      main: markup`<h1>Buildpacks</h1>
        <form class="search" role="search" method="get" action="${rootOf(request)}">
          <label class="text"><span>Search by name or description</span>
            <input id="q" type="search" name="q" value="${text}" maxlength="${LONGEST_QUERY}" autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="found" />
          </label>
          ${
            several &&
            markup`<label><span>Registry</span>
              <select id="registry" name="registry">
                <option value="">all</option>
                ${registries.map(({ name }) => markup`<option value="${name}"${name === registry && markup` selected`}>${name}</option> `)}
              </select></label>`
          }
          <button>Search</button>
        </form>
        <p id="found" class="found" role="status" data-total="${all.length}">${isAll ? `${all.length} buildpacks` : `${found.length} of ${all.length}`}${found.length > PAGE && `, page ${page}`}</p>
        ${
          unlisted.length > 0 &&
          markup`<p class="note">${unlisted.map(({ name }) => name).join(', ')} cannot be listed: open a buildpack of it by its whole name, as <code>NAMESPACE/NAME</code>.</p>`
        }
        ${directly(text, { request, found, unlisted: unlisted.length > 0 })}
        ${
          shown.length + others.length > 0 &&
          markup`<ul class="results" aria-label="Buildpacks">${shown.map((one) => row(one, false))}${others.map((one) => row(one, true))}</ul>`
        }
        ${all.length === 0 && unlisted.length === 0 && markup`<p>There is no buildpack in it yet.</p>`}
        ${found.length > PAGE && pages(request, { page, last: Math.ceil(found.length / PAGE) })}
        ${registries.map((one) => usage(one, { request, several }))}`,
    },
    { request, site },
  );
}

function result(
  one: CatalogBuildpack,
  { request, site, isHidden }: { request: SiteRequest; site: Site; isHidden: boolean },
): Markup {
  const { newest, versions, id } = one;
  const state = newest && site.details.peek(newest.address);
  const description = state?.kind === 'known' ? state.details.description : undefined;
  const registries = [...new Set(versions.map(({ registry }) => registry))];
  return markup`<li class="result" data-registries="${registries.join(' ')}"${isHidden && markup` hidden`}>
    <div class="head"><a href="${pageOf(request, one)}">${id}</a>
      ${newest ? markup`<span>${newest.version}</span>` : markup`<span class="badge yanked">yanked</span>`}
      <span class="dim">${versions.length === 1 ? '1 version' : `${versions.length} versions`}</span></div>
    ${description !== undefined && markup`<p class="dim">${description}</p>`}</li>
  `;
}

/** A link to what was named whole, where a list does not say whether it is there. */
function directly(
  text: string,
  o: { request: SiteRequest; found: readonly CatalogBuildpack[]; unlisted: boolean },
): Markup | undefined {
  const [, namespace, name] = /^\s*([a-z0-9.-]+)\/([a-z0-9.-]+)\s*$/.exec(text) ?? [];
  if (namespace === undefined || name === undefined || !o.unlisted) return undefined;
  if (o.found.some(({ id }) => id === `${namespace}/${name}`)) return undefined;
  return markup`<p><a href="${pageOf(o.request, { namespace, name })}">Look for ${namespace}/${name}</a></p>`;
}

function pages(request: SiteRequest, { page, last }: { page: number; last: number }): Markup {
  const link = (to: number, text: string): Markup => {
    const query = new URLSearchParams(request.query);
    query.set('page', `${to}`);
    return markup`<a href="?${query.toString()}">${text}</a> `;
  };
  return markup`<nav class="pages" aria-label="Pages">${page > 1 && link(page - 1, 'Previous')}<span class="dim">${page} of ${last}</span> ${page < last && link(page + 1, 'Next')}</nav>`;
}

/** How a registry is made known to those who build. */
function usage(
  { name, kind, url }: { name: string; kind: string; url?: string | undefined },
  { request, several }: { request: SiteRequest; several: boolean },
): Markup {
  const address = several ? `${request.address}r/${encodeURIComponent(name)}/` : request.address;
  const isGit = url !== undefined && (kind === 'git' || kind === 'github');
  return markup`<section><h2>Build with ${several ? `registry ${name}` : 'this registry'}</h2>
    <p class="dim">To be said once on each machine that builds:</p>
    <pre>strake config registries add ${name} ${address} --type http${isGit && `\npack config registries add ${name} ${url} --type ${kind}`}</pre></section>
  `;
}

function pageNumber({ query }: SiteRequest): number {
  const text = query.get('page') ?? '';
  return /^[1-9]\d{0,5}$/.test(text) ? Number(text) : 1;
}
