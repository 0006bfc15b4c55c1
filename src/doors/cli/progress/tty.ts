import { kindOf, type Clock } from '../../../base/index.ts';
import type { Style } from '../print/style.ts';
import { failedLog, logOfFailing, warningSummary } from './closing.ts';
import { frame } from './frame.ts';
import { ProgressModel } from './model.ts';
import type { Renderer, Screen } from './renderer.ts';

const INTERVAL_MS = 100;
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
/** Terminals that know it show what is between the two at once; others pass it over. */
const SYNC = ['\x1b[?2026h', '\x1b[?2026l'] as const;

/** A picture of the build on a terminal, drawn over itself ten times a second. */
export function ttyRenderer(
  screen: Screen,
  o: { readonly clock: Clock; readonly style: Style; readonly title: string },
): Renderer {
  const model = new ProgressModel();
  /** Lines of the last picture, which the next one is drawn over. */
  let drawn: readonly string[] = [];
  let shownColumns = 0;
  let dirty = true;
  let over = false;
  let paused = false;

  const draw = (lines: readonly string[]): void => {
    const up = drawn.length > 0 ? `\x1b[${drawn.length}A\r` : '';
    // Lines that stay as they are need not be written again.
    const body = lines.map((line, at) => (line === drawn[at] ? '\n' : `${line}\x1b[K\n`)).join('');
    screen.write(`${SYNC[0]}${HIDE_CURSOR}${up}${body}\x1b[J${SYNC[1]}`);
    drawn = lines;
  };
  const picture = (full: boolean, ending?: 'FINISHED' | 'ERROR' | 'CANCELED'): string[] => {
    const { columns, rows } = screen.size();
    // What a narrower terminal wrapped cannot be drawn over line by line.
    if (shownColumns !== columns) {
      if (columns < shownColumns) drawn = wrapped(drawn, columns);
      shownColumns = columns;
    }
    return frame(model, {
      now: o.clock.now(),
      columns,
      rows: full ? undefined : rows - 1,
      style: o.style,
      title: o.title,
      ending,
    });
  };
  const tick = (): void => {
    if (paused) return;
    if (!dirty && !model.shown.some(({ state }) => state === 'running')) return;
    dirty = false;
    draw(picture(false));
  };
  const timer = setInterval(tick, INTERVAL_MS);
  const resize = screen.onResize(() => (dirty = true));
  const stop = (): void => {
    clearInterval(timer);
    resize[Symbol.dispose]();
    if (!over && drawn.length > 0) screen.write(SHOW_CURSOR);
    over = true;
  };
  return {
    event: (event) => {
      model.apply(event);
      dirty = true;
    },
    pause: (id) => {
      const { step } = model.ended(id, o.clock.now());
      draw(picture(true));
      const rest = step ? logOfFailing(step, o.style) : [];
      screen.write(`${SHOW_CURSOR}${rest.map((line) => `${line}\n`).join('')}`);
      paused = true;
      return {
        [Symbol.dispose]: () => {
          paused = false;
          drawn = [];
        },
      };
    },
    finish: (error) => {
      if (over) return;
      const ending = error === undefined ? 'FINISHED' : kindOf(error) === 'cancelled' ? 'CANCELED' : 'ERROR';
      const lines = picture(true, ending);
      // Taller than the screen: what is there is taken away, so that nothing stands twice.
      draw(lines);
      const rest = [...failedLog(model, o.style), ...warningSummary(model.warnings, o.style)];
      if (rest.length > 0) screen.write(`${rest.join('\n')}\n`);
      stop();
    },
    [Symbol.dispose]: stop,
  };
}

/** As many (empty) lines as these take when the terminal breaks them. */
function wrapped(lines: readonly string[], columns: number): string[] {
  return lines.flatMap((line) => {
    const width = line.replaceAll(/\x1b\[[0-9;]*m/g, '').length;
    return Array.from({ length: Math.max(1, Math.ceil(width / Math.max(1, columns))) }, () => '\0');
  });
}
