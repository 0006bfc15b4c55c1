import { styleText } from 'node:util';
import { CodedError, kindOf, messageOf, type SourcePlace } from '../../base/index.ts';
import { EXIT_CODES } from './exit-code.ts';

/** One clear message for whatever was thrown: what failed, where, how to mend it. A stack trace only for a defect of ours. */
export function describeFailure(error: unknown, o: { color: boolean }): string {
  const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
    o.color ? styleText(style, text, { validateStream: false }) : text;
  const lines: string[] = [];
  const place = error instanceof CodedError ? error.place : undefined;
  const at = place ? `${placeText(place)}: ` : '';
  lines.push(`${paint('red', 'error')}: ${at}${messageOf(error)}`);
  if (place?.text !== undefined) lines.push(...quote(place).map((line) => paint('dim', line)));
  if (error instanceof CodedError && error.remedy !== undefined)
    lines.push(`${paint('cyan', 'help')}: ${error.remedy}`);
  if (!(error instanceof CodedError) && kindOf(error) === 'internal') {
    if (error instanceof Error && error.stack) lines.push(paint('dim', error.stack.split('\n').slice(1).join('\n')));
    lines.push('This is a defect of strake. Please report it with the lines above and the output of "strake doctor".');
  }
  return `${lines.join('\n')}\n`;
}

export function exitCodeOf(error: unknown): number {
  return EXIT_CODES[kindOf(error)];
}

function placeText({ file, line, column }: SourcePlace): string {
  return column === undefined ? `${file}:${line}` : `${file}:${line}:${column}`;
}

function quote({ line, text = '' }: SourcePlace): string[] {
  const lines = text.split('\n');
  const width = String(line + lines.length - 1).length;
  return lines.map((content, at) => ` ${String(line + at).padStart(width)} | ${content}`);
}
