import { sizeText } from '../print/units.ts';
import { markup, type Markup } from './markup.ts';
import type { ReportData, ReportLine, ReportStep } from './report-data.ts';
import { spanText } from './span-text.ts';
import { STATE_WORDS } from './timeline.ts';

/** Every step, folded, with why it ran or how it was found, and all that it printed. */
export function stepList({ steps, failure, outcome }: ReportData): Markup {
  return markup`<section id="steps">
    <h2>Steps and logs <span class="count">${steps.length}</span></h2>
    <div class="tools" hidden>
      <label
        >Search
        <input
          id="search"
          type="search"
          placeholder="names, reasons, logs (press /)"
          autocomplete="off"
          spellcheck="false"
      /></label>
      <label
        >Show
        <select id="show">
          <option value="">all</option>
          <option value="ran">ran</option>
          <option value="cached">cached</option>
          <option value="failed">failed</option>
          <option value="cancelled">stopped</option>
          <option value="skipped">not run</option>
        </select></label
      >
      <button type="button" id="open-all">Open all</button> <button type="button" id="close-all">Close all</button>
      <output id="found" aria-live="polite"></output>
    </div>
    ${steps.map((step) => stepEntry(step, { isOpen: step.number === failure?.step, isWhole: outcome === 'built' }))}
  </section>`;
}

function stepEntry(step: ReportStep, o: { readonly isOpen: boolean; readonly isWhole: boolean }): Markup {
  const { number, name, state, startedAt, endedAt, log } = step;
  const lines = log.head.length + log.left + log.tail.length;
  const took = startedAt === undefined || endedAt === undefined ? '' : spanText(endedAt - startedAt);
  return markup`<details class="step ${state}" id="step-${number}" data-state="${state}" ${o.isOpen && markup` open`}>
    <summary>
      <span class="number">${number}</span> <span class="name">${name}</span>
      <span class="state ${state}"
        >${STATE_WORDS[state]}${state === 'cached' || state === 'skipped' ? '' : ` ${took}`}</span
      >${lines > 0 && markup` <span class="dim lines">${lines} ${lines === 1 ? 'line' : 'lines'}</span>`}
    </summary>
    <div class="body">${about(step, o)}${lines > 0 && logOf(step)}</div>
  </details> `;
}

function about(step: ReportStep, { isWhole }: { readonly isWhole: boolean }): Markup {
  const { phase, cached, why, place, inputs, error, notes, items, state } = step;
  const rows: [string, Markup][] = [['Phase', markup`${phase}`]];
  if (cached)
    rows.push([
      'Cached',
      markup`${FOUND[cached.by]}${cached.from !== undefined && markup`, in <code>${cached.from}</code>`}`,
    ]);
  if (state === 'skipped')
    rows.push(['Not run', isWhole ? markup`nothing came to need it` : markup`the build ended before it`]);
  if (why.length > 0)
    rows.push([
      'Why it ran',
      markup`<ul>
        ${why.map((line) => markup`<li>${line}</li>`)}
      </ul>`,
    ]);
  if (error !== undefined) rows.push(['Error', markup`<span class="message">${error}</span>`]);
  if (inputs.length > 0)
    rows.push(['Stands on', markup`${inputs.map((at) => markup`<a href="#step-${at}">step ${at}</a> `)}`]);
  if (items.length > 0)
    rows.push([
      'Moved',
      markup`<ul>
        ${items.map(({ name, current, unit, took }) => markup`<li>${name}: ${unit === 'bytes' ? sizeText(current) : `${current} ${unit}`}${took > 10 && markup` in ${spanText(took)}`}</li>`)}
      </ul>`,
    ]);
  if (notes.length > 0)
    rows.push([
      'Notes',
      markup`<ul>
        ${notes.map((note) => markup`<li>${note}</li>`)}
      </ul>`,
    ]);
  if (place)
    rows.push([
      'Source',
      markup`<code>${place.file}:${place.line}</code
        >${place.text !== undefined && markup`<pre class="source">${place.text}</pre>`}`,
    ]);
  return markup`<dl>
    ${rows.map(
      ([name, value]) =>
        markup`<dt>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`;
}

const FOUND = {
  recipe: 'a build before did the same on the same',
  content: 'what it reads is the same as in a build before, though how that was made is not',
};

function logOf({ log, number }: ReportStep): Markup {
  return markup`<pre class="log" tabindex="0" aria-label="Log of step ${number}">
${log.head.map(logLine)}${log.left > 0 && markup`<em>… ${log.left} lines left out …</em>\n`}${log.tail.map(logLine)}</pre>`;
}

/** A line of a log; those of standard error are marked. */
export function logLine({ at, stream, text }: ReportLine): Markup {
  const time = markup`<i>${(at / 1000).toFixed(3).padStart(7)}</i> `;
  return stream === 'stderr' ? markup`${time}<span class="err">${text}</span>\n` : markup`${time}${text}\n`;
}
