import type { OrderNode } from '../../../frontend/buildpack/index.ts';
import { markup, type Markup } from '../report/markup.ts';
import type { Answer, SiteRequest } from './answer.ts';
import type { CatalogBuildpack, CatalogVersion } from './catalog.ts';
import type { DetailsState, ModuleDetails } from './details.ts';
import { framed, pageOf } from './page-frame.ts';
import type { Site } from './site.ts';

/** Milliseconds that a page waits for what an image says. */
const PATIENCE = 1500;
/** Versions that are shown without being asked for. */
const SHORT = 30;

interface Shown {
  readonly request: SiteRequest;
  readonly site: Site;
  readonly buildpack: CatalogBuildpack;
  readonly one: CatalogVersion;
}

/** The page of a buildpack, of its newest version or of one that is named; undefined where there is none. */
export async function buildpackPage(request: SiteRequest, site: Site): Promise<Answer | undefined> {
  const [, namespace = '', name = '', version] = request.path;
  const buildpack = await site.catalog.find({ namespace, name }, request);
  if (!buildpack) return undefined;
  const one =
    version === undefined
      ? (buildpack.newest ?? buildpack.versions[0])
      : buildpack.versions.find((entry) => entry.version === version);
  if (!one) return undefined;
  const state = await site.details.within(one.address, PATIENCE);
  const c = { request, site, buildpack, one };
  const details = state.kind === 'known' ? state.details : undefined;
  return framed(
    {
      title: `${buildpack.id} ${one.version} – Buildpacks`,
      main: markup`<h1>${buildpack.id} <span class="version">${one.version}</span> ${one.yanked && markup`<span class="badge yanked">yanked</span>`}</h1>
        ${one.yanked && yankedNote(c)}
        ${
          !one.yanked &&
          buildpack.newest !== one &&
          buildpack.newest &&
          markup`<p class="note">There is a newer version: <a href="${pageOf(request, buildpack)}">${buildpack.newest.version}</a>.</p>`
        }
        ${details?.title !== undefined && markup`<p><strong>${details.title}</strong></p>`}
        ${details?.description !== undefined && markup`<p>${details.description}</p>`}
        ${mismatch(details, one)}
        ${use(c)}
        ${about(state, c)}
        ${details && details.order.length > 0 && order(details, c)}
        ${versions(c)}`,
    },
    { request, site },
  );
}

function yankedNote({ buildpack: { newest, ...rest }, request }: Shown): Markup {
  return markup`<p class="note bad"><strong>This version was taken back.</strong> Builds get it only where they name it.${newest && markup` The newest that was not is <a href="${pageOf(request, rest)}">${newest.version}</a>.`}</p>`;
}

/** An entry that names an image of something else. */
function mismatch(
  details: ModuleDetails | undefined,
  { namespace, name, version }: CatalogVersion,
): Markup | undefined {
  if (!details || (details.id === `${namespace}/${name}` && details.version === version)) return undefined;
  return markup`<p class="note bad">Its image says that it is <code>${details.id}@${details.version}</code>.</p>`;
}

function use({ one, site, buildpack }: Shown): Markup {
  const locator = `urn:cnb:registry:${buildpack.id}@${one.version}`;
  const { kind } = site.catalog.registries.find(({ name }) => name === one.registry) ?? { kind: '' };
  // pack reads repositories, not indexes over HTTP.
  const forPack = kind === 'git' || kind === 'github' ? locator : `docker://${one.address}`;
  return markup`<section><h2 id="use">Use it</h2>
    ${line('With strake', `strake build --buildpack ${locator}`)}
    ${line('With pack', `pack build my-app --buildpack ${forPack}`)}
    ${line('In project.toml', `[[io.buildpacks.group]]\nuri = "${locator}"`)}</section>`;
}

function line(label: string, text: string): Markup {
  return markup`<p class="dim">${label}</p>
    <div class="line"><pre tabindex="0" aria-label="${label}">${text}</pre><button type="button" class="copy" hidden data-copy="${text}" aria-label="Copy: ${label}">Copy</button></div>
  `;
}

function about(state: DetailsState, { one, site, request }: Shown): Markup {
  const facts: (readonly [string, Markup])[] = [['Image', markup`<code>${one.address}</code>`]];
  if (site.catalog.registries.length > 1) facts.push(['Registry', markup`${one.registry}`]);
  if (state.kind === 'known') {
    const { homepage, licenses, keywords, api, stacks, targets } = state.details;
    if (homepage !== undefined) facts.push(['Homepage', link(homepage)]);
    if (licenses.length > 0)
      facts.push([
        'Licenses',
        markup`${licenses.map(
          ({ type, uri }, at) => markup`${at > 0 && ', '}${uri === undefined || uri === '' ? type : link(uri, type)}`,
        )}`,
      ]);
    if (api !== '') facts.push(['Buildpack API', markup`${api}`]);
    if (targets.length > 0) facts.push(['Targets', tags(targets)]);
    if (stacks.length > 0) facts.push(['Stacks', tags(stacks.map((id) => (id === '*' ? 'any (*)' : id)))]);
    if (keywords.length > 0) facts.push(['Keywords', tags(keywords)]);
  }
  return markup`<section><h2>About</h2>
    <dl>${facts.map(([name, value]) => markup`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
    ${state.kind === 'failed' && markup`<p class="note">What its image says could not be read.</p>`}
    ${state.kind === 'unread' && markup`<p class="note">What its image says has not been read. <a href="${pageOf(request, one)}">Look again</a></p>`}</section>`;
}

/** What people wrote as an address is one only where it leads to a web page. */
function link(address: string, text?: string): Markup {
  if (!/^https?:\/\//i.test(address)) return markup`${text === undefined ? address : `${text} (${address})`}`;
  return markup`<a href="${address}" rel="noreferrer nofollow">${text ?? address}</a>`;
}

function tags(texts: readonly string[]): Markup {
  return markup`<ul class="tags">${texts.map((text) => markup`<li>${text}</li>`)}</ul>`;
}

function order({ order: groups }: ModuleDetails, c: Shown): Markup {
  return markup`<section><h2>Order</h2>
    <p class="dim">The first group of which all buildpacks fit is taken.</p>
    ${groupList(groups, c)}</section>`;
}

function groupList(groups: readonly (readonly OrderNode[])[], c: Shown): Markup {
  return markup`<ol class="order">${groups.map(
    (group) => markup`<li>Group<ul>${group.map((entry) => orderEntry(entry, c))}</ul></li>`,
  )}</ol>`;
}

function orderEntry({ id, version, optional, cyclic, groups }: OrderNode, c: Shown): Markup {
  const [namespace = '', name = '', ...more] = id.split('/');
  const there = more.length === 0 && c.site.catalog.all.find((one) => one.id === id);
  const isThere = there && there.versions.some((one) => one.version === version);
  const text = version === '' ? id : `${id}@${version}`;
  return markup`<li>${there ? markup`<a href="${pageOf(c.request, { namespace, name, version: isThere ? version : undefined })}">${text}</a>` : markup`${text}`}
    ${optional && markup`<span class="badge plain">optional</span>`}${cyclic && markup` <span class="badge plain">again</span>`}${groups.length > 0 && groupList(groups, c)}</li>`;
}

function versions(c: Shown): Markup {
  const { versions: all } = c.buildpack;
  const first = all.slice(0, SHORT);
  const rest = all.slice(SHORT);
  // The one that is shown must not be among those that are folded away.
  const isOpen = rest.includes(c.one);
  return markup`<section><h2>Versions</h2>
    ${versionTable(first, c)}
    ${rest.length > 0 && markup`<details${isOpen && markup` open`}><summary>${rest.length} older</summary>${versionTable(rest, c)}</details>`}</section>`;
}

function versionTable(all: readonly CatalogVersion[], { request, buildpack, one, site }: Shown): Markup {
  const several = site.catalog.registries.length > 1;
  return markup`<div class="wide"><table>
    <thead><tr><th scope="col">Version</th><th scope="col">State</th>${several && markup`<th scope="col">Registry</th>`}<th scope="col">Image</th></tr></thead>
    <tbody>${all.map(
      (
        entry,
      ) => markup`<tr${entry.yanked && markup` class="yanked"`}${entry === one && markup` aria-current="true"`}><td><a href="${pageOf(request, entry)}">${entry.version}</a></td>
        <td>${entry.yanked ? markup`<span class="badge yanked">yanked</span>` : entry === buildpack.newest && markup`<span class="badge newest">newest</span>`}</td>
        ${several && markup`<td>${entry.registry}</td>`}<td><code title="${entry.address}">${shortAddress(entry.address)}</code></td></tr>
      `,
    )}</tbody></table></div>`;
}

/** Enough of a digest to tell versions apart. */
function shortAddress(address: string): string {
  return address.replace(/(@sha(?:256|384|512):[0-9a-f]{12})[0-9a-f]+$/, '$1…');
}
