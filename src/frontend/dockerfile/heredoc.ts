import { hasCode } from '../../base/index.ts';
import { expand, noVariables } from './expand.ts';

/** A word such as `<<EOF`, `<<-"EOF"`, `3<<EOF` (facts 1.2). */
export interface HeredocWord {
  readonly name: string;
  readonly descriptor: number;
  /** The body is expanded: no part of the name was quoted. */
  readonly expand: boolean;
  /** Leading tabs go. */
  readonly chomp: boolean;
}

const HEREDOC = /^(\d*)<<(-?)[\t\n\f\r ]*([^<]*)$/;

/** The heredoc that a word opens; undefined for any other word. */
export function heredocWord(word: string): HeredocWord | undefined {
  const match = HEREDOC.exec(word);
  const rest = match?.[3] ?? '';
  if (match === null || rest === '') return undefined;
  const plain = wordsOf(rest, false);
  const raw = wordsOf(rest, true);
  const name = plain?.[0];
  if (name === undefined || plain?.length !== 1 || raw?.length !== 1) return undefined;
  return {
    name,
    descriptor: Number(match[1] || '0'),
    expand: quotes(name) === quotes(raw[0] ?? ''),
    chomp: match[2] === '-',
  };
}

/** The heredocs that a line opens, in order. A line whose quotes do not match opens none. */
export function heredocsOf(line: string): readonly HeredocWord[] {
  try {
    const { words } = expand(line, noVariables, { escape: '\\', rawQuotes: true, rawEscapes: true, skipUnset: true });
    return words.flatMap((word) => heredocWord(word) ?? []);
  } catch (error) {
    if (hasCode(error, 'DOCKERFILE_EXPANSION')) return [];
    throw error;
  }
}

/** A body without the tabs at the start of its lines. */
export function chompTabs(content: string): string {
  return content.replace(/^\t+/gm, '');
}

function wordsOf(text: string, rawQuotes: boolean): readonly string[] | undefined {
  try {
    return expand(text, noVariables, { escape: '\\', rawQuotes, skipUnset: true }).words;
  } catch (error) {
    if (hasCode(error, 'DOCKERFILE_EXPANSION')) return undefined;
    throw error;
  }
}

function quotes(text: string): number {
  return text.split(/['"]/).length;
}
