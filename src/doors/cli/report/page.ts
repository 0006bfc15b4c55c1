import { shortId } from '../print/units.ts';
import { markup, Markup, scriptJson } from './markup.ts';
import { imageSection } from './image-section.ts';
import { PAGE_STYLE } from './page-style.ts';
import { pageScript } from './page-script.ts';
import type { ReportData, ReportFailure } from './report-data.ts';
import { logLine, stepList } from './step-list.ts';
import { timeline } from './timeline.ts';
import { spanText } from './span-text.ts';

/** Nothing is fetched, whatever is in the data. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** The whole page: readable without its script, which adds search and folding. */
export function reportPage(data: ReportData): string {
  const { title, outcome, steps, warnings, failure, images } = data;
  const page = markup`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
        <meta name="color-scheme" content="light dark" />
        <meta name="generator" content="strake ${data.program}" />
        <title>${OUTCOMES[outcome]}: ${title}</title>
        <style>
          ${new Markup(PAGE_STYLE)}
        </style>
      </head>
      <body>
        <a class="skip" href="#steps">Skip to the steps</a>
        <header>
          <h1>${title} <span class="badge ${outcome}">${OUTCOMES[outcome]}</span></h1>
          <p class="facts">${facts(data)}</p>
          ${images.map(
            ({ platform, id, names }) =>
              markup`<p class="image">
                <strong>${platform}</strong>
                <code title="${id}">${shortId(id)}</code>${names.map((name) => markup` <code>${name}</code>`)}
              </p>`,
          )}
          <nav aria-label="Sections">${sections(data).map(([id, name]) => markup`<a href="#${id}">${name}</a> `)}</nav>
        </header>
        <main>
          ${failure && failureSection(failure, data)}
          ${
            warnings.length > 0 &&
            markup`<section id="warnings">
              <h2>Warnings <span class="count">${warnings.length}</span></h2>
              <ul class="warnings">
                ${warnings.map(
                  ({ code, message, detail, url, place }) =>
                    markup`<li>
                      <strong>${code}</strong>
                      ${message}${place && markup` <code>${place.file}:${place.line}</code>`}${detail !== undefined && markup`<br /><span class="dim">${detail}</span>`}${
                        url !== undefined &&
                        /^https?:\/\//.test(url) &&
                        markup` <a href="${url}" rel="noreferrer">more</a>`
                      }${place?.text !== undefined && markup`<pre class="source">${place.text}</pre>`}
                    </li> `,
                )}
              </ul>
            </section>`
          }
          ${steps.length > 0 && timeline(data)}
          ${images.map((image, at) => imageSection(image, { at, many: images.length > 1 }))}
          ${steps.length > 0 && stepList(data)}
        </main>
        <footer>Made by strake ${data.program}, ${timeText(data.endedAt)}</footer>
        <script type="application/json" id="build">
          ${scriptJson(withoutLogs(data))}
        </script>
        <script>
          ${new Markup(`(${pageScript.toString()})(document, globalThis)`.replaceAll('</', String.raw`<\/`))};
        </script>
      </body>
    </html> `;
  return page.text;
}

const OUTCOMES = { built: 'Built', failed: 'Failed', stopped: 'Stopped' };

function facts({ startedAt, endedAt, steps, warnings, ground }: ReportData): Markup[] {
  const count = (state: string): number => steps.filter((step) => step.state === state && !step.internal).length;
  const parts: Markup[] = [
    markup`<time datetime="${new Date(startedAt).toISOString()}">${timeText(startedAt)}</time>`,
    markup`<strong>${spanText(endedAt - startedAt)}</strong>`,
    markup`${count('ran')} ran`,
    markup`${count('cached')} cached`,
  ];
  if (count('failed') > 0) parts.push(markup`${count('failed')} failed`);
  if (warnings.length > 0) parts.push(markup`${warnings.length} ${warnings.length === 1 ? 'warning' : 'warnings'}`);
  if (ground) parts.push(markup`${ground.executor} on ${ground.snapshotter}`);
  return parts.map((part, at) => markup`${at > 0 && ' · '}${part}`);
}

function sections({ failure, outcome, warnings, steps, images }: ReportData): [string, string][] {
  const all: [string, string, boolean][] = [
    ['failure', outcome === 'stopped' ? 'Stopped' : 'Failure', failure !== undefined],
    ['warnings', 'Warnings', warnings.length > 0],
    ['timeline', 'Timeline', steps.length > 0],
    ['image-1', images.length > 1 ? 'Images' : 'Image', images.length > 0],
    ['steps', 'Steps and logs', steps.length > 0],
  ];
  return all.flatMap(([id, name, isThere]) => (isThere ? [[id, name] as [string, string]] : []));
}

/** Lines of a failed step's log that are shown with the failure. */
const LAST_LINES = 15;

function failureSection(failure: ReportFailure, { steps, outcome }: ReportData): Markup {
  const { code, message, place, excerpt, remedy, notes, step } = failure;
  const log = steps.find(({ number }) => number === step)?.log;
  const last = log ? [...log.head, ...log.tail].slice(-LAST_LINES) : [];
  return markup`<section id="failure" class="failure">
    <h2>${outcome === 'stopped' ? 'Stopped' : 'Failure'}</h2>
    <p class="message">
      ${place !== undefined && markup`<code>${place}</code> `}${message} <span class="dim">(${code})</span>
    </p>
    ${excerpt.length > 0 && markup`<pre class="source">${excerpt.map(({ text, marked }) => (marked ? markup`<mark>${text}</mark>\n` : markup`${text}\n`))}</pre>`}
    ${last.length > 0 && markup`<h3>What it printed last</h3><pre class="log" tabindex="0" aria-label="The last lines of its log">${last.map(logLine)}</pre>`}
${remedy !== undefined && markup`<p><strong>Help:</strong> ${remedy}</p>`}
    ${notes.map(({ label, text }) => markup`<p><strong>${label}:</strong> <code>${text}</code></p>`)}
    ${step !== undefined && markup`<p><a href="#step-${step}">The step, with all that it printed</a></p>`}
  </section>`;
}

function timeText(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** What they print stands in the page already. */
function withoutLogs(data: ReportData): unknown {
  return {
    ...data,
    steps: data.steps.map(({ log, ...step }) => ({ ...step, logLines: log.head.length + log.left + log.tail.length })),
  };
}
