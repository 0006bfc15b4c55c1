import type { SourcePlace } from '../../base/index.ts';
import type { ArgumentForm, DockerfileNode, HeredocNode, InstructionNode, PairNode, Word } from './ast.ts';
import { dockerfileError, located } from './errors.ts';
import { quote, trimLeft } from './go-text.ts';
import { heredocsOf } from './heredoc.ts';
import { LineReader, rangeIn, type LogicalLine } from './lines.ts';
import { quotedWords, splitBlanks, splitLine, type Piece } from './split.ts';
import type { SourceText } from './text.ts';

/** How each instruction's arguments are read. */
const ARGUMENTS: Readonly<
  Record<string, 'list' | 'command' | 'words' | 'pairs' | 'names' | 'text' | 'health' | 'trigger'>
> = {
  add: 'list',
  arg: 'names',
  cmd: 'command',
  copy: 'list',
  entrypoint: 'command',
  env: 'pairs',
  expose: 'words',
  from: 'words',
  healthcheck: 'health',
  label: 'pairs',
  maintainer: 'text',
  onbuild: 'trigger',
  run: 'command',
  shell: 'command',
  stopsignal: 'text',
  user: 'text',
  volume: 'list',
  workdir: 'text',
};

/** Names of all instructions, in lower case. */
export const instructionNames: readonly string[] = Object.keys(ARGUMENTS);

/** What the arguments of a line come to. */
interface Arguments {
  readonly form: ArgumentForm;
  readonly args?: readonly Word[] | undefined;
  readonly pairs?: readonly PairNode[] | undefined;
  readonly trigger?: InstructionNode | undefined;
}

/**
 * Parses Dockerfile text (facts 1.1, 1.2). Unknown instructions are left to `instructions.ts`.
 * Throws `DOCKERFILE_SYNTAX`, `DOCKERFILE_EMPTY`, `DOCKERFILE_DIRECTIVE`, `DOCKERFILE_HEREDOC` and `DOCKERFILE_LINE_TOO_LONG`, each with its place.
 */
export function parseDockerfile(source: SourceText): DockerfileNode {
  const reader = new LineReader(source);
  const instructions: InstructionNode[] = [];
  const emptyContinuations = [];
  for (let line = reader.next(); line !== undefined; line = reader.next()) {
    if (line.emptyContinuation) emptyContinuations.push(source.lineRange(line.lastLine));
    try {
      instructions.push(parseLine(reader, line));
    } catch (error) {
      throw located(error, placeOf(source, line), `dockerfile parse error on line ${line.firstLine}: `);
    }
  }
  if (instructions.length === 0)
    throw dockerfileError('DOCKERFILE_EMPTY', `read "${source.file}": file with no instructions`, {
      remedy: 'Start the Dockerfile with a FROM instruction.',
    });
  return { directives: reader.directives, escape: reader.escape, instructions, emptyContinuations };
}

function parseLine(reader: LineReader, line: LogicalLine): InstructionNode {
  const node = new LineParser(line, reader.escape).instruction(0, line.comments);
  const heredocs = readHeredocs(reader, line, node);
  const start = rangeIn(line, node.keyword.text === '' ? 0 : line.text.search(/\S|$/), 0).start;
  const end = heredocs.at(-1)?.range.end ?? reader.source.lineRange(line.lastLine).end;
  return { ...node, heredocs, range: { start, end } };
}

function readHeredocs(reader: LineReader, line: LogicalLine, node: InstructionNode): readonly HeredocNode[] {
  const holder = node.trigger ?? node;
  if (!['add', 'copy', 'run'].includes(holder.name) || holder.form === 'json' || !line.text.includes('<<')) return [];
  return heredocsOf(line.text).map((word) => {
    const body = reader.body(word.name, word.chomp);
    if (body === undefined)
      throw dockerfileError('DOCKERFILE_HEREDOC', `unterminated heredoc "${word.name}"`, {
        remedy: `Put a line that is only "${word.name}" after the text.`,
      });
    return { ...word, ...body };
  });
}

/** Parses the line of one instruction. */
class LineParser {
  readonly #line: LogicalLine;
  readonly #escape: string;

  constructor(line: LogicalLine, escape: string) {
    this.#line = line;
    this.#escape = escape;
  }

  instruction(from: number, comments: readonly string[]): InstructionNode {
    const { keyword, flags, rest } = splitLine(this.#line.text, from, this.#escape);
    const name = keyword.text.toLowerCase();
    const { form, args = [], pairs = [], trigger } = this.#arguments(name, keyword.text, rest, from > 0);
    return {
      keyword: this.#word(keyword),
      name,
      flags: flags.map((flag) => this.#word(flag)),
      form,
      args,
      pairs,
      trigger,
      heredocs: [],
      original: this.#line.text.slice(from),
      comments,
      range: rangeIn(this.#line, keyword.start, Math.max(keyword.end, rest.end)),
    };
  }

  #arguments(name: string, written: string, rest: Piece, nested: boolean): Arguments {
    switch (Object.hasOwn(ARGUMENTS, name) ? ARGUMENTS[name] : undefined) {
      case 'words':
        return { form: 'words', args: this.#words(splitBlanks(rest)) };
      case 'names':
        return { form: 'words', args: this.#words(quotedWords(rest, this.#escape)) };
      case 'text':
        return { form: 'text', args: this.#text(rest) };
      case 'list':
        return this.#json(rest) ?? { form: 'words', args: this.#words(splitBlanks(rest)) };
      case 'command':
        return this.#json(rest) ?? { form: 'text', args: this.#text(rest) };
      case 'health':
        return this.#health(rest);
      case 'pairs':
        return { form: 'pairs', pairs: this.#pairs(written, rest) };
      case 'trigger':
        // A trigger of a trigger is an error that `instructions.ts` names; it is not parsed further.
        if (rest.text === '' || nested) return { form: 'trigger', args: this.#text(rest) };
        return { form: 'trigger', args: this.#text(rest), trigger: this.instruction(rest.start, []) };
      default:
        return { form: 'text', args: this.#text(rest) };
    }
  }

  /** A JSON array of strings; undefined when the text is none, which makes it shell form. */
  #json(rest: Piece): Arguments | undefined {
    if (!rest.text.startsWith('[')) return undefined;
    let values: unknown;
    try {
      values = JSON.parse(trimLeft(rest.text));
    } catch {
      return undefined;
    }
    if (!Array.isArray(values)) return undefined;
    if (!values.every((value) => typeof value === 'string'))
      throw dockerfileError(
        'DOCKERFILE_SYNTAX',
        `when using JSON array syntax, arrays must be comprised of strings only`,
        { remedy: 'Put every element of the array into double quotes.' },
      );
    const range = rangeIn(this.#line, rest.start, rest.end);
    return { form: 'json', args: values.map((value: string) => ({ text: value.toWellFormed(), range })) };
  }

  #health(rest: Piece): Arguments {
    const type = splitBlanks(rest)[0];
    if (type === undefined) return { form: 'text' };
    const text = this.#line.text.slice(type.end, rest.end);
    const lead = text.length - trimLeft(text).length;
    const command = { text: text.slice(lead), start: type.end + lead, end: rest.end };
    const json = this.#json(command);
    return { form: json?.form ?? 'text', args: [this.#word(type), ...(json?.args ?? this.#text(command))] };
  }

  #pairs(written: string, rest: Piece): readonly PairNode[] {
    const words = quotedWords(rest, this.#escape);
    if (words.length === 0) return [];
    if (words[0]?.text.includes('=') !== true) return [this.#legacyPair(written, rest)];
    return words.map((word) => {
      const equals = word.text.indexOf('=');
      if (equals < 0)
        throw dockerfileError(
          'DOCKERFILE_SYNTAX',
          `Syntax error - can't find = in ${quote(word.text)}. Must be of the form: name=value`,
          { remedy: 'Quote values that hold white space, or give every name a "=".' },
        );
      const range = rangeIn(this.#line, word.start, word.end);
      return { key: word.text.slice(0, equals), value: word.text.slice(equals + 1), legacy: false, range };
    });
  }

  #legacyPair(written: string, rest: Piece): PairNode {
    const match = /^([^\t\v\f\r ]*)[\t\v\f\r ]+([^]*)$/.exec(rest.text);
    if (match === null)
      throw dockerfileError('DOCKERFILE_SYNTAX', `${written.toUpperCase()} must have two arguments`, {
        remedy: `Write ${written.toUpperCase()} name=value.`,
      });
    const range = rangeIn(this.#line, rest.start, rest.end);
    return { key: match[1] ?? '', value: match[2] ?? '', legacy: true, range };
  }

  #text(piece: Piece): readonly Word[] {
    return piece.text === '' ? [] : [this.#word(piece)];
  }

  #words(pieces: readonly Piece[]): readonly Word[] {
    return pieces.map((piece) => this.#word(piece));
  }

  #word(piece: Piece): Word {
    return { text: piece.text, range: rangeIn(this.#line, piece.start, piece.end) };
  }
}

function placeOf(source: SourceText, line: LogicalLine): SourcePlace {
  const { start } = source.lineRange(line.firstLine);
  return source.place({ start, end: source.lineRange(line.lastLine).end });
}
