import type { GroundReport } from '../../../engine/index.ts';
import { secondsText, sizeText } from '../print/units.ts';
import type { Style } from '../print/style.ts';
import { missText } from './miss-text.ts';
import type { Item, ProgressModel, Step } from './model.ts';
import { clip, fit, textWidth, visibleText } from './text.ts';

export interface FrameOptions {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly columns: number;
  /** Lines there is room for; all steps in full when undefined. */
  readonly rows?: number | undefined;
  readonly style: Style;
  /** The word in the header when it is over. */
  readonly ending?: 'FINISHED' | 'ERROR' | 'CANCELED' | undefined;
  /** What is done, in the header. */
  readonly title: string;
}

/** Log lines shown of a step that runs. */
const LOG_LINES = 6;
/** Moving items shown of a step. */
const ITEM_LINES = 8;

interface Block {
  readonly step: Step;
  head: boolean;
  items: readonly Item[];
  notes: readonly string[];
  log: readonly string[];
}

/** The whole picture of a build as lines, none wider than the terminal and no more than it has rows: what runs is shown at the cost of what is over. */
export function frame(model: ProgressModel, o: FrameOptions): string[] {
  const blocks = model.shown.map((step) => blockOf(step));
  if (o.rows !== undefined) shrink(blocks, Math.max(1, o.rows - 1));
  return [header(model, o), ...blocks.flatMap((block) => linesOf(block, o))];
}

export function groundText(ground: GroundReport): string {
  return `${ground.executor} on ${ground.snapshotter}`;
}

function header(model: ProgressModel, o: FrameOptions): string {
  const { done, total } = model.counts();
  const time = secondsText(o.now - (model.startedAt ?? o.now));
  const left = `[+] ${o.title} ${time} (${done}/${total})${o.ending === undefined ? '' : ` ${o.ending}`}`;
  const right = model.ground ? groundText(model.ground) : '';
  const gap = o.columns - textWidth(left) - textWidth(right);
  const { style } = o;
  const paint = o.ending === 'ERROR' ? style.red : o.ending === 'FINISHED' ? style.blue : style.bold;
  if (right === '' || gap < 2) return paint(clip(left, o.columns));
  return paint(left) + ' '.repeat(gap) + style.dim(right);
}

function blockOf(step: Step): Block {
  const running = step.state === 'running';
  const items = [...step.items.values()];
  return {
    step,
    head: true,
    items:
      items.length <= ITEM_LINES
        ? items
        : [...items.filter(({ done }) => !done), ...items.filter(({ done }) => done)].slice(0, ITEM_LINES),
    notes: step.notes.slice(-ITEM_LINES),
    log: running ? step.log.tail(LOG_LINES) : [],
  };
}

type Cut = (block: Block) => Partial<Block> | undefined;

const isOver: (block: Block) => boolean = ({ step }) => step.state !== 'running';
const NO_DETAILS = { items: [], notes: [] };

/** What is left out, in turn, until it fits: details of what is over, what is over (the oldest first), log lines, details of what runs, the oldest of what runs. */
const CUTS: readonly Cut[] = [
  (block) => (isOver(block) ? NO_DETAILS : undefined),
  (block) => (isOver(block) && block.step.state !== 'failed' ? { head: false } : undefined),
  ...Array.from({ length: LOG_LINES - 1 }, (_, at): Cut => (block) => ({ log: block.log.slice(at + 1 - LOG_LINES) })),
  () => NO_DETAILS,
  () => ({ log: [] }),
  () => ({ head: false }),
];

function shrink(blocks: readonly Block[], rows: number): void {
  let height = heightOf(blocks);
  for (const cut of CUTS)
    for (const block of blocks) {
      if (height <= rows) return;
      Object.assign(block, cut(block));
      height = heightOf(blocks);
    }
}

function heightOf(blocks: readonly Block[]): number {
  return blocks.reduce(
    (sum, { head, items, notes, log }) => sum + Number(head) + items.length + notes.length + log.length,
    0,
  );
}

function linesOf(block: Block, o: FrameOptions): string[] {
  const { step } = block;
  const lines: string[] = [];
  if (block.head) lines.push(headLine(step, o));
  for (const item of block.items) lines.push(itemLine(item, { ...o, over: isOver(block) }));
  for (const note of block.notes) lines.push(timed(` => => ${visibleText(note)}`, '', o));
  for (const text of block.log) lines.push(o.style.dim(clip(` => => # ${text}`, o.columns)));
  return lines;
}

function headLine(step: Step, o: FrameOptions): string {
  const { style } = o;
  const mark = { cached: 'CACHED ', failed: 'ERROR ', cancelled: 'CANCELED ', done: '', running: '', waiting: '' }[
    step.state
  ];
  const end = step.endedAt ?? (step.state === 'running' ? o.now : undefined);
  const time = step.startedAt === undefined || end === undefined ? '' : secondsText(end - step.startedAt);
  // There are no numbers here: what follows another step stands below it.
  const why = missText(step.miss, () => undefined);
  const told = why === undefined ? '' : ` (${visibleText(why)})`;
  const line = timed(` => ${mark}${visibleText(step.name)}${told}`, time, o);
  switch (step.state) {
    case 'failed':
      return style.red(line);
    case 'cancelled':
      return style.yellow(line);
    case 'running':
    case 'waiting':
      return line;
    default:
      return style.blue(line);
  }
}

function itemLine(item: Item, o: FrameOptions & { readonly over: boolean }): string {
  const name = item.name.replace(/^(sha256:[0-9a-f]{12})[0-9a-f]{52}$/, '$1');
  const time = item.at - item.startedAt >= 50 ? secondsText(item.at - item.startedAt) : '';
  const line = timed(` => => ${visibleText(name)} ${amountText(item)}`.trimEnd(), time, o);
  return item.done || o.over ? o.style.blue(line) : line;
}

/** `1.05MB / 3.40MB`, `12 / 57 packages`. */
export function amountText({ current, total, unit, done }: Omit<Item, 'name' | 'startedAt' | 'at'>): string {
  if (unit === 'bytes') {
    if (total !== undefined && total > 0) return `${sizeText(current)} / ${sizeText(total)}`;
    return current > 0 || done ? sizeText(current) : '';
  }
  return total === undefined ? `${current} ${unit}` : `${current} / ${total} ${unit}`;
}

/** Text at the left, a time at the right edge. */
function timed(text: string, time: string, o: FrameOptions): string {
  if (time === '' || o.columns < 20) return clip(text, o.columns);
  const cell = time.padStart(5);
  return `${fit(text, o.columns - cell.length - 1)} ${cell}`;
}
