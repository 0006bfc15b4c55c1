import {
  CodedError,
  firstFailure,
  kindOf,
  messageOf,
  systemFailure,
  type ErrorKind,
  type SourcePlace,
} from '../../base/index.ts';
import { EXIT_CODES } from './exit-code.ts';
import { styleFor } from './print/style.ts';

/** Lines of a file that a person wrote, to quote around a place. */
export type SourceLookup = (file: string) => string | undefined;

/** What a command adds below a failure of its own, as `reproduce: strake build …`. */
export interface FailureNote {
  readonly label: string;
  readonly text: string;
}

/** A line of an excerpt with its number; `marked` where the place is. */
export interface ExcerptLine {
  readonly text: string;
  readonly marked: boolean;
}

/** Lines shown before and after the place. */
const AROUND = 2;

/** One clear message for whatever was thrown: what failed, where, how to mend it. A stack trace only for a defect of ours. */
export function describeFailure(
  thrown: unknown,
  o: { color: boolean; source?: SourceLookup | undefined; after?: readonly FailureNote[] | undefined },
): string {
  const error = firstFailure(thrown);
  const style = styleFor(o.color);
  const coded = error instanceof CodedError ? error : undefined;
  const { place } = coded ?? {};
  const system = coded ? undefined : systemFailure(error);
  const message = system?.action === undefined ? messageOf(error) : `${system.action}: ${system.words}`;
  const remedy = coded?.remedy ?? (system ? SYSTEM_REMEDIES[kindOf(error)] : undefined);
  const lines = [`${style.red('error')}: ${place ? `${placeText(place)}: ` : ''}${message}`];
  if (place) for (const { text, marked } of excerpt(place, o.source)) lines.push(marked ? text : style.dim(text));
  if (remedy !== undefined) lines.push(`${style.cyan('help')}: ${remedy}`);
  for (const { label, text } of o.after ?? []) lines.push(`${style.cyan(label)}: ${text}`);
  if (!coded && kindOf(error) === 'internal') {
    if (error instanceof Error && error.stack) lines.push(style.dim(error.stack.split('\n').slice(1).join('\n')));
    lines.push('This is a defect of strake. Please report it with the lines above and the output of "strake doctor".');
  }
  return `${lines.join('\n')}\n`;
}

/** What helps against errors of the system that nobody knew better words for. */
const SYSTEM_REMEDIES: { readonly [Kind in ErrorKind]?: string } = {
  not_found: 'Check the path.',
  conflict: 'Something else is using it, or is in the way: try again, or move it aside.',
  denied: 'Give this user the right to it, or name another place.',
  exhausted: 'Make room, for instance with "strake prune", or raise the limit that was met.',
  unavailable: 'Check the name and the network, and try again.',
};

/** How a failure ends the process. */
export function exitCodeOf(error: unknown): number {
  return EXIT_CODES[kindOf(error)];
}

export function placeText({ file, line, column }: SourcePlace): string {
  return column === undefined ? `${file}:${line}` : `${file}:${line}:${column}`;
}

/** The place's lines marked with `>>>`, with what stands around them where the file can be looked up. */
export function excerpt(place: SourcePlace, source: SourceLookup | undefined): ExcerptLine[] {
  const own = place.text?.split('\n');
  const whole = source?.(place.file)?.split('\n');
  const last = place.endLine ?? place.line + (own ? own.length - 1 : 0);
  const fits = whole !== undefined && (own === undefined || own[0] === whole[place.line - 1]);
  const first = fits ? Math.max(1, place.line - AROUND) : place.line;
  const end = fits ? Math.min(lastLine(whole), last + AROUND) : last;
  const lines = fits ? whole.slice(first - 1, end) : own;
  if (!lines) return [];
  const width = String(first + lines.length - 1).length + 1;
  return lines.map((line, at) => {
    const number = first + at;
    const marked = number >= place.line && number <= last;
    return { text: ` ${String(number).padStart(width)} | ${marked ? '>>>' : '   '} ${line}`.trimEnd(), marked };
  });
}

function lastLine(lines: readonly string[]): number {
  return lines.at(-1) === '' ? lines.length - 1 : lines.length;
}
