import type { Clock } from '../../../base/index.ts';
import type { BuildEvent } from '../../../engine/index.ts';
import { secondsText } from '../print/units.ts';
import type { Style } from '../print/style.ts';
import { failedLog, logOfFailing, warningSummary } from './closing.ts';
import { amountText, groundText } from './frame.ts';
import { missText } from './miss-text.ts';
import { ProgressModel, type Item, type Step } from './model.ts';
import type { Renderer, Screen } from './renderer.ts';
import type { LogLine } from './step-log.ts';
import { visibleText } from './text.ts';

/** How long lines of a step wait while another one has the word. */
const PATIENCE_MS = 3000;
/** An item is told of again when it has come this much further, or after this time. */
const LEAST_STEP = 0.05;
const LEAST_MS = 5000;

/**
 * Lines as BuildKit's plain progress has them: `#4 [build 2/3] RUN make`, `#4 0.512 output`, `#4 DONE 1.2s`. One step has the word at a time; lines of others wait a little, and go out at once when their step ends.
 */
export function plainRenderer(screen: Screen, o: { readonly clock: Clock; readonly style: Style }): Renderer {
  const model = new ProgressModel();
  const told = new Map<string, { at: number; current: number }>();
  const waiting = new Map<string, { readonly since: number; readonly lines: string[] }>();
  let current: Step | undefined;
  let first = true;

  const speak = (step: Step, lines: readonly string[]): void => {
    let text = '';
    if (current !== step) {
      if (current) text += `#${current.number} ...\n`;
      text += `${first ? '' : '\n'}#${step.number} ${visibleText(step.name)}\n`;
      first = false;
      current = step;
    }
    const held = waiting.get(step.id)?.lines ?? [];
    waiting.delete(step.id);
    for (const line of [...held, ...lines]) text += `#${step.number} ${line}\n`;
    if (step.endedAt !== undefined) current = undefined;
    screen.write(text);
  };
  const say = (step: Step, lines: readonly string[], at: number): void => {
    const ended = step.endedAt !== undefined;
    if (lines.length === 0 && !ended && current) return;
    if (!current || current === step || ended) return speak(step, lines);
    const held = waiting.get(step.id);
    if (held) held.lines.push(...lines);
    else waiting.set(step.id, { since: at, lines: [...lines] });
    hear(at);
  };
  const hear = (now: number): void => {
    for (const [id, { since }] of waiting) {
      const step = model.steps.get(id);
      if (step && (!current || now - since >= PATIENCE_MS)) return speak(step, []);
    }
  };
  const timer = setInterval(() => hear(o.clock.now()), 1000);
  timer.unref();

  return {
    event: (event) => {
      const { step, lines, item } = model.apply(event);
      if (event.kind === 'ground') {
        const { lacks } = event.ground;
        screen.write(
          ['', `#0 steps run with ${groundText(event.ground)}`, ...lacks.map((lack) => `#0 ${lack}`), '']
            .join('\n')
            .slice(first ? 1 : 0),
        );
        first = false;
        current = undefined;
        return;
      }
      if (!step || step.number === 0 || !('at' in event)) return;
      say(step, [...logLines(step, lines), ...linesOf(event, step, item)], event.at);
    },
    pause: (id) => {
      for (const waits of waiting.keys()) {
        const step = model.steps.get(waits);
        if (step) speak(step, []);
      }
      const { step, lines } = model.ended(id, o.clock.now());
      if (step) {
        speak(step, logLines(step, lines));
        screen.write(`${logOfFailing(step, o.style).join('\n')}\n`);
      }
      return { [Symbol.dispose]: () => (current = undefined) };
    },
    finish: () => {
      for (const id of waiting.keys()) {
        const step = model.steps.get(id);
        if (step) speak(step, []);
      }
      const rest = [...failedLog(model, o.style), ...warningSummary(model.warnings, o.style)];
      if (rest.length > 0) screen.write(`${rest.join('\n')}\n`);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };

  function linesOf(event: BuildEvent, step: Step, item: Item | undefined): string[] {
    switch (event.kind) {
      case 'started': {
        const why = missText(event.miss, (id) => model.steps.get(id)?.number || undefined);
        return why === undefined ? [] : [`miss: ${visibleText(why)}`];
      }
      case 'cached':
        return event.verdict.hit ? [cachedText(event.verdict)] : [];
      case 'note':
        return [visibleText(event.text)];
      case 'progress':
        return item && isWorthTelling(step, item) ? [itemText(item)] : [];
      case 'completed': {
        if (step.state === 'cached') return [];
        if (step.state === 'cancelled') return ['CANCELED'];
        if (event.error !== undefined) return [`ERROR: ${event.error}`];
        return [step.startedAt === undefined ? 'DONE' : `DONE ${secondsText(event.at - step.startedAt)}`];
      }
      default:
        return [];
    }
  }

  function isWorthTelling(step: Step, item: Item): boolean {
    const key = `${step.id} ${item.name}`;
    const last = told.get(key);
    const far = item.total ? (item.current - (last?.current ?? 0)) / item.total >= LEAST_STEP : false;
    if (last && !item.done && !far && item.at - last.at < LEAST_MS) return false;
    told.set(key, { at: item.at, current: item.current });
    return true;
  }
}

function logLines({ startedAt }: Step, lines: readonly LogLine[]): string[] {
  return lines.map(({ at, text }) => `${(Math.max(0, at - (startedAt ?? at)) / 1000).toFixed(3)} ${text}`);
}

function cachedText({ by, from }: { readonly by: string; readonly from?: string | undefined }): string {
  return from === undefined ? `CACHED (${by})` : `CACHED (${by}, ${visibleText(from)})`;
}

function itemText(item: Item): string {
  const spent = item.at - item.startedAt;
  return [visibleText(item.name), amountText(item), spent > 10 ? secondsText(spent) : '', item.done ? 'done' : '']
    .filter((part) => part !== '')
    .join(' ');
}
