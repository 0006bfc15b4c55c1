import type { Range } from './text.ts';

/** The lines around a range, as BuildKit prints them: `file:line`, rules, `>>>` at the lines that are meant; nothing where they are not in the text. */
export function excerpt(file: string, text: string, range: Range): string {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  const first = range.start.line;
  if (first < 1 || first > lines.length) return '';
  const last = Math.min(lastLine(range), lines.length);
  let [start, end] = [first, last];
  const pad = first === lastLine(range) ? 4 : 2;
  for (let added = 0; added < pad; added += 1) {
    if (start > 1) {
      start -= 1;
      added += 1;
    }
    if (end !== lines.length) {
      end += 1;
      added += 1;
    }
  }
  const shown = lines.slice(start - 1, end).map((line, index) => {
    const number = start + index;
    return ` ${String(number).padStart(3)} | ${number >= first && number <= last ? '>>>' : '   '} ${line}\n`;
  });
  return `${file}:${first}\n${RULE}${shown.join('')}${RULE}`;
}

const RULE = '--------------------\n';

/** The last line of a range, which may end before the first column of the next. */
export function lastLine({ start, end }: Range): number {
  return end.column === 1 && end.line > start.line ? end.line - 1 : end.line;
}
