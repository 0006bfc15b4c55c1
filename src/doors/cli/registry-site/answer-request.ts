import { hasCode } from '../../../base/index.ts';
import { markup } from '../report/markup.ts';
import { jsonAnswer, SiteRefusal, type Answer, type SiteRequest } from './answer.ts';
import { answerApi } from './api.ts';
import { buildpackPage } from './buildpack-page.ts';
import { framed, rootOf } from './page-frame.ts';
import { searchPage } from './search-page.ts';
import type { Site } from './site.ts';

/** Answers a request: pages, the API, and the files of the index. Refusals come in the form of what was asked for. */
export async function answerRequest(request: SiteRequest, site: Site): Promise<Answer> {
  try {
    return await route(request, site);
  } catch (error) {
    // Never what an upstream said: it may name what is not for everybody.
    const refusal =
      error instanceof SiteRefusal
        ? error
        : hasCode(error, 'CNB_REGISTRY_UNAVAILABLE', 'CNB_REGISTRY_INVALID')
          ? new SiteRefusal(502, 'The registry behind this one cannot be read now')
          : undefined;
    if (!refusal) throw error;
    return refused(refusal, { request, site });
  }
}

async function route(asked: SiteRequest, site: Site): Promise<Answer> {
  const request = ofOne(asked);
  const { path, method, registry } = request;
  const [first = '', ...rest] = path;
  const isApi = first === 'api' && rest[0] === 'v1';
  if (method !== 'GET' && !(isApi && method === 'POST'))
    throw new SiteRefusal(405, 'This can only be read', { allow: 'GET, HEAD' });
  // Of one registry there is its index and its list; the rest is told of all together.
  if (isApi && (registry === undefined || method === 'POST' || rest.join('/') === 'v1/buildpacks'))
    return answerApi(request, site);
  if (registry === undefined) {
    if (path.length === 1 && first === '') return searchPage(request, site);
    if (path.length === 1 && first === 'healthz')
      return { status: 200, type: 'text/plain; charset=utf-8', body: 'ok\n' };
    if (first === 'buildpacks' && (rest.length === 2 || rest.length === 3)) {
      const page = await buildpackPage(request, site);
      if (page) return page;
      throw new SiteRefusal(404, 'There is no such buildpack');
    }
  }
  const text = await site.catalog.file(path.join('/'), request);
  if (text !== undefined) return { status: 200, type: 'text/plain; charset=utf-8', body: text };
  throw new SiteRefusal(404, 'There is no such page');
}

/** `/r/NAME/…` as if there were no other registry. */
function ofOne(request: SiteRequest): SiteRequest {
  const [first, registry, ...path] = request.path;
  return first === 'r' && registry !== undefined && path.length > 0 ? { ...request, registry, path } : request;
}

function refused(refusal: SiteRefusal, c: { readonly request: SiteRequest; readonly site: Site }): Answer {
  const { status, message, headers } = refusal;
  const [first = '', second = ''] = ofOne(c.request).path;
  if (first === 'api') return { ...jsonAnswer({ error: message }, status), headers };
  if (first !== '' && first !== 'buildpacks')
    return { status, type: 'text/plain; charset=utf-8', body: `${message}\n`, headers };
  const answer = framed(
    {
      title: `${message} – Buildpacks`,
      status,
      main: markup`<h1>${message}</h1>
        <p>${second !== '' && markup`<code>${c.request.path.slice(1).join('/')}</code> is not in this registry. `}<a href="${rootOf(c.request)}">Search all buildpacks</a></p>`,
    },
    c,
  );
  return { ...answer, headers: { ...answer.headers, ...headers } };
}
