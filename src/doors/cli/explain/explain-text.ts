import { relative } from 'node:path';
import type { BuildSummary, ExplainedBuild, ExplainedStep } from '../../../engine/index.ts';
import type { Style } from '../print/style.ts';
import { ageText, plural, secondsText } from '../print/units.ts';
import { clip, textWidth, visibleText } from '../progress/text.ts';
import { causeLines } from './cause-text.ts';

export interface ExplainOptions {
  /** The build it was compared with. */
  readonly before?: BuildSummary | undefined;
  readonly steps: readonly ExplainedStep[];
  /** These steps were asked for: all is told of them. */
  readonly whole: boolean;
  readonly style: Style;
  readonly columns: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly cwd: string;
}

/** Paths told of a step in a list of all steps, and where it was asked for. */
const FEW = 3;
const MANY = 200;

/** What is on record of a build, for people: a line for each step, and why it ran. */
export function explainText(build: ExplainedBuild, o: ExplainOptions): string {
  const lines = [o.style.bold(headline(build, o)), o.style.dim(comparedWith(o)), ''];
  const digits = `${build.steps.length}`.length;
  const more = new Set<number>();
  for (const step of o.steps) {
    const indent = ' '.repeat(digits + 1 + 8 + 7 + 2);
    const [name = '', ...rest] = o.whole
      ? wrapped(step.name, indent, o)
      : [indent + clip(visibleText(step.name), o.columns - indent.length)];
    lines.push(stepLine(step, digits, o) + name.slice(indent.length), ...rest);
    for (const line of whyLines(step, o, more)) lines.push(...wrapped(line.text, indent, o).map(line.paint));
  }
  const [first] = more;
  if (first !== undefined) lines.push('', o.style.dim(`strake explain ${first} tells more; --format json tells all`));
  return `${lines.join('\n')}\n`;
}

function headline({ project, outcome, at, took, steps }: ExplainedBuild, o: ExplainOptions): string {
  const { context = '', dockerfile = '', target, platform } = project;
  const file = dockerfile.startsWith(`${context}/`) ? dockerfile.slice(context.length + 1) : dockerfile;
  const about = [
    ...(['Dockerfile', ''].includes(file) ? [] : [file === '-' ? 'Dockerfile from standard input' : file]),
    ...(target === undefined ? [] : [`target ${target}`]),
    ...(platform === undefined ? [] : [platform]),
  ];
  const place = context.startsWith('/') ? relative(o.cwd, context) || '.' : context;
  const shownPlace = place.startsWith('../../') ? context : place;
  const ran = steps.filter((step) => step.outcome === 'ran' || step.outcome === 'failed').length;
  const what = { done: 'built', failed: 'failed', cancelled: 'stopped' }[outcome];
  const time = `${outcome === 'done' ? 'in' : 'after'} ${secondsText(took)}`;
  const own = steps.filter((step) => step.outcome !== 'source').length;
  return visibleText(
    `${shownPlace}${about.length > 0 ? ` (${about.join(', ')})` : ''}: ${what} ${ageText(at, o.now)} ${time}, ${ran} of ${plural(own, 'step')} ran`,
  );
}

function comparedWith({ before, now }: ExplainOptions): string {
  return before ? `compared with the build before it (${ageText(before.at, now)})` : 'no build before it is on record';
}

const WORDS: Readonly<Record<ExplainedStep['outcome'], string>> = {
  hit: 'hit',
  ran: 'miss',
  failed: 'failed',
  cancelled: 'stopped',
  'not reached': 'not run',
  'not needed': 'unused',
  source: 'same',
};

function stepLine(step: ExplainedStep, digits: number, { style }: ExplainOptions): string {
  const isOther = step.outcome === 'source' && step.causes.some(({ kind }) => kind !== 'first' && kind !== 'new');
  const isNew = step.outcome === 'source' && step.causes.length > 0 && !isOther;
  const word = isOther ? 'changed' : isNew ? 'new' : WORDS[step.outcome];
  const paint =
    step.outcome === 'hit'
      ? style.blue
      : step.outcome === 'failed'
        ? style.red
        : word === 'miss' || isOther
          ? style.yellow
          : style.dim;
  const time = step.took === undefined ? '' : secondsText(step.took);
  return `${`${step.number}`.padStart(digits)} ${paint(word.padEnd(8))}${time.padStart(7)}  `;
}

interface Line {
  readonly text: string;
  readonly paint: (text: string) => string;
}

/** What is told of a step. Of one that was found, only where it was asked for, or found elsewhere. */
function whyLines(step: ExplainedStep, { whole, style }: ExplainOptions, more: Set<number>): readonly Line[] {
  const plain = (text: string): string => text;
  const lines: Line[] = [];
  if (step.from !== undefined) lines.push({ text: `from ${step.from}`, paint: style.dim });
  if (step.outcome === 'source' && step.causes.every(({ kind }) => kind === 'first' || kind === 'new')) return lines;
  if (step.outcome === 'hit' && !whole) return lines;
  if (step.outcome === 'hit' && step.causes.length > 0)
    lines.push({ text: 'found among earlier results; other than in the build before:', paint: style.dim });
  for (const [at, cause] of step.causes.entries()) {
    if (cause.kind === 'files' && cause.changed + cause.added + cause.removed > FEW && !whole) more.add(step.number);
    for (const text of causeLines(cause, whole ? MANY : FEW)) lines.push({ text, paint: at === 0 ? plain : style.dim });
  }
  return lines;
}

/** Broken between words where it is too long; further lines are indented a little more. */
function wrapped(text: string, indent: string, o: ExplainOptions): string[] {
  const lines: string[] = [];
  let line = indent;
  let isEmpty = true;
  for (const word of visibleText(text).split(/(?<!->) (?!->)/)) {
    if (!isEmpty && textWidth(line) + 1 + textWidth(word) > o.columns) {
      lines.push(line);
      line = `${indent}  `;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line];
}
