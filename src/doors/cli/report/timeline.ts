import { markup, type Markup } from './markup.ts';
import { spanText } from './span-text.ts';
import type { ReportData, ReportStep } from './report-data.ts';

interface Span {
  readonly from: number;
  readonly to: number;
}

type Timed = ReportStep & { readonly startedAt: number; readonly endedAt: number };

export const STATE_WORDS: Readonly<Record<ReportStep['state'], string>> = {
  ran: 'ran',
  cached: 'cached',
  failed: 'failed',
  cancelled: 'stopped',
  skipped: 'not run',
};

/** A bar for each step on one scale, by phases: what ran beside what is seen one below the other. */
export function timeline({ steps, startedAt, endedAt }: ReportData): Markup {
  const whole: Span = { from: startedAt, to: Math.max(endedAt, startedAt + 1) };
  const phases = Map.groupBy(steps.filter(isTimed), ({ phase }) => phase);
  return markup`<section id="timeline">
    <h2>Timeline</h2>
    <p class="legend" aria-hidden="true">
      <span class="key ran"></span> ran <span class="key cached"></span> cached <span class="key failed"></span> failed
      <span class="key cancelled"></span> stopped
    </p>
    <div class="axis" aria-hidden="true">
      <span></span
      ><span class="ticks">${ticks(whole).map(({ at, text }) => markup`<span style="left:${at}%">${text}</span>`)}</span
      ><span></span>
    </div>
    ${[...phases].map(([phase, own]) => phaseRows(phase, { own, whole }))}
  </section>`;
}

function phaseRows(phase: string, { own, whole }: { own: readonly Timed[]; whole: Span }): Markup {
  const from = Math.min(...own.map((step) => step.startedAt));
  const to = Math.max(...own.map((step) => step.endedAt));
  return markup`<div class="phase">
    <h3>${phase} <span class="dim">${spanText(to - from)}</span></h3>
    <ol>
      ${own.map((step) => {
        const took = spanText(step.endedAt - step.startedAt);
        const about = `${step.number}: ${step.name}: ${STATE_WORDS[step.state]}, ${took}, from ${spanText(step.startedAt - whole.from)}`;
        return markup`<li class="${step.state}">
          <a href="#step-${step.number}" title="${about}" aria-label="${about}"
            ><span class="name">${shortName(step)}</span
            ><span class="track"><span class="bar ${step.state}" style="${placeOf(step, whole)}"></span></span
            ><span class="took">${step.state === 'cached' ? 'cached' : took}</span></a
          >
        </li> `;
      })}
    </ol>
  </div>`;
}

function isTimed(step: ReportStep): step is Timed {
  return step.startedAt !== undefined && step.endedAt !== undefined;
}

/** The name without the phase that it stands under, and in a stage its place there. */
function shortName({ name, phase }: ReportStep): string {
  const [, inner = '', text = ''] = /^\[([^\]]+)\] (.+)$/s.exec(name) ?? [];
  if (text === '') return name;
  const words = inner.split(' ').filter((word) => word !== phase && word !== 'internal');
  return [...words, text].join(' ');
}

function placeOf({ startedAt, endedAt }: Timed, { from, to }: Span): string {
  const percent = (at: number): number => Math.round(((at - from) / (to - from)) * 10_000) / 100;
  return `left:${Math.max(0, percent(startedAt))}%;width:${Math.max(0, percent(endedAt) - percent(startedAt))}%`;
}

const MOST_TICKS = 5;

/** Round times along the scale. */
function ticks({ from, to }: Span): { at: number; text: string }[] {
  const span = to - from;
  const power = 10 ** Math.floor(Math.log10(span / MOST_TICKS));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => span / size <= MOST_TICKS) ?? span;
  const found: { at: number; text: string }[] = [];
  for (let time = 0; time <= span * 0.97; time += step)
    found.push({
      at: Math.round((time / span) * 10_000) / 100,
      text: step < 1000 ? `${Number((time / 1000).toFixed(3))}s` : `${Math.round(time / 1000)}s`,
    });
  return found;
}
