import { clip, textWidth } from '../progress/text.ts';
import type { Style } from './style.ts';

export interface Column {
  readonly title: string;
  readonly right?: boolean | undefined;
  /** May be cut to make the table as narrow as the terminal; one column at most. */
  readonly shrink?: boolean | undefined;
}

/** Rows in aligned columns under titles, three blanks apart. `columns` is the width that the shrinking column is cut to fit. */
export function tableText(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  o: { readonly style: Style; readonly columns?: number | undefined },
): string {
  const widths = columns.map(({ title }, at) => Math.max(title.length, ...rows.map((row) => textWidth(row[at] ?? ''))));
  const shrinking = columns.findIndex(({ shrink }) => shrink === true);
  if (shrinking >= 0 && o.columns !== undefined) {
    const total = widths.reduce((sum, width) => sum + width, 0) + GAP.length * (columns.length - 1);
    widths[shrinking] = Math.max(10, Math.min(widths[shrinking] ?? 0, (widths[shrinking] ?? 0) - (total - o.columns)));
  }
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ right }, at) => {
        const text = at === shrinking ? clip(cells[at] ?? '', widths[at] ?? 0) : (cells[at] ?? '');
        const pad = ' '.repeat(Math.max(0, (widths[at] ?? 0) - textWidth(text)));
        return right ? pad + text : text + pad;
      })
      .join(GAP)
      .trimEnd();
  return `${[o.style.bold(line(columns.map(({ title }) => title))), ...rows.map(line)].join('\n')}\n`;
}

const GAP = '   ';

export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
