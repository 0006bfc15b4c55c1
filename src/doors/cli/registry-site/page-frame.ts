import { createHash } from 'node:crypto';
import { markup, Markup } from '../report/markup.ts';
import { versionLine } from '../version.ts';
import type { Answer, SiteRequest } from './answer.ts';
import type { Site } from './site.ts';
import { siteScript } from './site-script.ts';
import { SITE_STYLE } from './site-style.ts';

const SCRIPT = `(${siteScript.toString()})(document, globalThis);`.replaceAll('</', String.raw`<\/`);

/** Nothing is fetched, and no style and script runs but these two, whatever is in the data. */
const POLICY = [
  "default-src 'none'",
  `style-src '${hashOf(SITE_STYLE)}'`,
  `script-src '${hashOf(SCRIPT)}'`,
  'img-src data:',
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** A whole page. */
export function framed(
  o: { readonly title: string; readonly main: Markup; readonly status?: number | undefined },
  c: { readonly request: SiteRequest; readonly site: Site },
): Answer {
  const home = rootOf(c.request);
  const { registries } = c.site.catalog;
  const stale = registries.filter((one) => one.stale);
  const page = markup`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${o.title}</title>
        <link rel="icon" href="data:," />
        <style>${new Markup(SITE_STYLE)}</style>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header class="site">
          <a href="${home}">Buildpack registry</a>
          <span class="dim">${registries.map(({ name }) => name).join(', ')}</span>
        </header>
        <main id="main" tabindex="-1">
          ${
            stale.length > 0 &&
            markup`<p class="note bad">${stale.map(({ name }) => name).join(', ')} cannot be brought up to date now; this is how it was last.</p>`
          }
          ${o.main}
        </main>
        <footer>
          Served by ${versionLine()} · <a href="${home}api/v1/buildpacks?limit=20">JSON</a>
        </footer>
        <script>${new Markup(SCRIPT)}</script>
      </body>
    </html> `;
  return {
    status: o.status ?? 200,
    type: 'text/html; charset=utf-8',
    body: page.text,
    headers: { 'content-security-policy': POLICY },
  };
}

/** The path of this server's first page. */
export function rootOf({ address }: SiteRequest): string {
  return new URL(address).pathname;
}

/** The path of a buildpack's page, or of one version of it. */
export function pageOf(
  request: SiteRequest,
  { namespace, name, version }: { namespace: string; name: string; version?: string | undefined },
): string {
  const parts = [namespace, name, ...(version === undefined ? [] : [version])];
  return `${rootOf(request)}buildpacks/${parts.map((part) => encodeURIComponent(part)).join('/')}`;
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
