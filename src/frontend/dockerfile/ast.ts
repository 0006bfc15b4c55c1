import type { Directive } from './lines.ts';
import type { Range } from './text.ts';

/** A word as it reads after quotes and escapes where its instruction resolves those; the range is that of what was written. */
export interface Word {
  readonly text: string;
  readonly range: Range;
}

/** `key=value`, or of the old form `KEY the rest`. Quotes and escapes are still in. */
export interface PairNode {
  readonly key: string;
  readonly value: string;
  /** The old form, with white space for the `=`. */
  readonly legacy: boolean;
  readonly range: Range;
}

export interface HeredocNode {
  readonly name: string;
  readonly descriptor: number;
  readonly expand: boolean;
  readonly chomp: boolean;
  /** As written, line endings kept, tabs not yet taken off. */
  readonly content: string;
  /** From the first line of the body to the terminator. */
  readonly range: Range;
}

/** How the arguments were written: a JSON array, words, pairs, one text, or (ONBUILD) another instruction. */
export type ArgumentForm = 'json' | 'words' | 'pairs' | 'text' | 'trigger';

/** One instruction. */
export interface InstructionNode {
  /** As written. */
  readonly keyword: Word;
  /** In lower case. */
  readonly name: string;
  /** `--name=value` words, quotes and escapes resolved. */
  readonly flags: readonly Word[];
  readonly form: ArgumentForm;
  readonly args: readonly Word[];
  readonly pairs: readonly PairNode[];
  readonly trigger?: InstructionNode | undefined;
  readonly heredocs: readonly HeredocNode[];
  /** The logical line: physical lines joined, comments and continuation characters gone. */
  readonly original: string;
  /** Comments right above, without their `#`. */
  readonly comments: readonly string[];
  /** The instruction with its heredocs. */
  readonly range: Range;
}

export interface DockerfileNode {
  readonly directives: readonly Directive[];
  readonly escape: '\\' | '`';
  readonly instructions: readonly InstructionNode[];
  /** Instructions that have an empty line inside a continuation: the place of the last line. */
  readonly emptyContinuations: readonly Range[];
}
