import type { Report } from './report.ts';
import { median } from './median.ts';

const WIDTH = 860;
const LABELS = 330;
const BAR = 13;
const GAP = 14;
const COLORS = ['#0b6e4f', '#4477aa', '#cc8844', '#8866aa', '#777777'];

/** The medians as an SVG: for each workload a bar for each tool, as long as its time beside the slowest of that workload. */
export function plot(report: Report): string {
  const tools = report.tools.map(({ name }) => name);
  const parts: string[] = [];
  let y = 44;
  for (const [at, tool] of tools.entries())
    parts.push(
      `<rect x="${LABELS + at * 110}" y="14" width="11" height="11" fill="${colorOf(at)}"/>`,
      `<text x="${LABELS + 16 + at * 110}" y="24">${escape(tool)}</text>`,
    );
  for (const { name, title } of report.workloads) {
    const times = tools.map((tool) => {
      const found = report.results.find((result) => result.workload === name && result.tool === tool);
      return found && median(found.samples.map(({ wall }) => wall));
    });
    const slowest = Math.max(...times.filter((time) => time !== undefined));
    const middle = y + (tools.length * BAR) / 2 + 4;
    parts.push(`<text x="${LABELS - 12}" y="${middle}" text-anchor="end">${escape(short(title))}</text>`);
    for (const [tool, time] of times.entries()) {
      if (time === undefined) continue;
      const width = Math.max(1, ((WIDTH - LABELS - 80) * time) / slowest);
      parts.push(
        `<rect x="${LABELS}" y="${y + tool * BAR}" width="${width.toFixed(1)}" height="${BAR - 2}" fill="${colorOf(tool)}"/>`,
        `<text x="${(LABELS + width + 6).toFixed(1)}" y="${y + tool * BAR + 10}" fill="#444">${time.toFixed(time < 10 ? 2 : 1)} s</text>`,
      );
    }
    y += tools.length * BAR + GAP;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" font-family="sans-serif" font-size="11">`,
    `<rect width="${WIDTH}" height="${y}" fill="#ffffff"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function colorOf(tool: number): string {
  return COLORS[tool % COLORS.length] ?? '#000000';
}

function short(title: string): string {
  return title.length <= 56 ? title : `${title.slice(0, 55)}…`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
