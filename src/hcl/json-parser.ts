import { Cursor } from './cursor.ts';
import { hclError } from './errors.ts';
import { addAttribute } from './parser.ts';
import { HclSource, type Range } from './source.ts';
import type { Attribute, Block, Body, Expression } from './syntax.ts';
import { parseTemplateText } from './template-parser.ts';

/** Which names are blocks in a JSON file, how many labels they have, and what blocks are in them. */
export interface BlockSchema {
  readonly [type: string]: { readonly labels: 0 | 1; readonly blocks?: BlockSchema | undefined };
}

interface JsonNode {
  readonly range: Range;
  readonly value:
    | { readonly kind: 'scalar'; readonly value: null | boolean | number }
    | { readonly kind: 'string'; readonly text: string }
    | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
    | { readonly kind: 'object'; readonly members: readonly JsonMember[] };
}

interface JsonMember {
  readonly name: string;
  readonly nameRange: Range;
  readonly node: JsonNode;
}

/** Reads a file in HCL's JSON syntax; strings are templates. Throws `HCL_SYNTAX` with the place. */
export function parseHclJson(text: string, file: string, schema: BlockSchema): Body {
  const source = new HclSource(file, text);
  const reader = new Reader(source);
  const root = reader.document();
  return bodyOf(root, { source, schema });
}

/** A string of a JSON file as a text of its own: everything in it is at the string. */
export class EmbeddedSource extends HclSource {
  readonly #outer: HclSource;
  readonly #at: Range;

  constructor(outer: HclSource, at: Range, text: string) {
    super(outer.name, text);
    this.#outer = outer;
    this.#at = at;
  }

  override place(): ReturnType<HclSource['place']> {
    return this.#outer.place(this.#at);
  }
}

interface Context {
  readonly source: HclSource;
  readonly schema: BlockSchema;
}

function bodyOf(node: JsonNode, c: Context): Body {
  const attributes: Attribute[] = [];
  const blocks: Block[] = [];
  for (const object of node.value.kind === 'array' ? node.value.items : [node]) {
    for (const { name, nameRange, node: value } of membersOf(object, c.source)) {
      if (name === '//') continue;
      const block = Object.hasOwn(c.schema, name) ? c.schema[name] : undefined;
      if (block) blocks.push(...blocksOf(name, nameRange, value, { ...block, source: c.source }));
      else
        addAttribute(attributes, {
          name,
          nameRange,
          range: { start: nameRange.start, end: value.range.end },
          expression: expressionOf(value, c.source),
          source: c.source,
        });
    }
  }
  return { attributes, blocks };
}

function blocksOf(
  type: string,
  typeRange: Range,
  node: JsonNode,
  o: { readonly labels: 0 | 1; readonly blocks?: BlockSchema | undefined; readonly source: HclSource },
): Block[] {
  const { source } = o;
  const inner = { source, schema: o.blocks ?? {} };
  const each = (one: JsonNode): readonly JsonNode[] => (one.value.kind === 'array' ? one.value.items : [one]);
  if (o.labels === 0)
    return each(node).map((one) => ({ type, typeRange, labels: [], body: bodyOf(one, inner), source }));
  return each(node).flatMap((labelled) =>
    membersOf(labelled, source).flatMap(({ name, nameRange, node: content }) =>
      each(content).map((one) => {
        const labels = [{ text: name, range: nameRange }];
        return { type, typeRange, labels, body: bodyOf(one, inner), source };
      }),
    ),
  );
}

function membersOf(node: JsonNode, source: HclSource): readonly JsonMember[] {
  if (node.value.kind === 'object') return node.value.members;
  throw hclError('HCL_SYNTAX', 'expected a JSON object', { place: source.place(node.range) });
}

function expressionOf({ value, range }: JsonNode, source: HclSource): Expression {
  const at = { range, source };
  switch (value.kind) {
    case 'scalar':
      return { kind: 'literal', value: value.value, ...at };
    case 'string':
      return templateOf(value.text, range, source);
    case 'array':
      return { kind: 'tuple', items: value.items.map((item) => expressionOf(item, source)), ...at };
    default: {
      const items = value.members.map(({ name, nameRange, node }) => ({
        key: templateOf(name, nameRange, source),
        value: expressionOf(node, source),
      }));
      return { kind: 'object', items, ...at };
    }
  }
}

function templateOf(text: string, range: Range, outer: HclSource): Expression {
  if (!/[$%]\{/.test(text)) return { kind: 'literal', value: text, range, source: outer };
  return parseTemplateText(new Cursor(new EmbeddedSource(outer, range, text)));
}

const TOKEN = /[{}[\],:]|"(?:[^"\\\n]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const MAX_DEPTH = 200;

class Reader {
  readonly #source: HclSource;
  #at = 0;
  #depth = 0;

  constructor(source: HclSource) {
    this.#source = source;
  }

  document(): JsonNode {
    const node = this.#value();
    const rest = this.#peek();
    if (rest !== undefined) throw this.#unexpected('expected the end of the file');
    return node;
  }

  /** The next token's range; undefined at the end. */
  #peek(): Range | undefined {
    const { text } = this.#source;
    while (' \t\r\n'.includes(text[this.#at] ?? 'x')) this.#at += 1;
    if (this.#at >= text.length) return undefined;
    TOKEN.lastIndex = this.#at;
    const found = TOKEN.exec(text);
    if (!found)
      throw this.#error(`invalid JSON: ${JSON.stringify(text[this.#at])} does not belong here`, {
        start: this.#at,
        end: this.#at + 1,
      });
    return { start: this.#at, end: TOKEN.lastIndex };
  }

  #text(range: Range | undefined): string {
    return range === undefined ? '' : this.#source.text.slice(range.start, range.end);
  }

  #take(): Range {
    const range = this.#peek();
    if (range === undefined) throw this.#unexpected('expected a value');
    this.#at = range.end;
    return range;
  }

  #takeIf(text: string): Range | undefined {
    return this.#text(this.#peek()) === text ? this.#take() : undefined;
  }

  #value(): JsonNode {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH)
      throw this.#error(`more than ${MAX_DEPTH} levels deep`, { start: this.#at, end: this.#at });
    try {
      return this.#read();
    } finally {
      this.#depth -= 1;
    }
  }

  #read(): JsonNode {
    const range = this.#peek();
    const text = this.#text(range);
    if (range === undefined || /^[\]},:]$/.test(text)) throw this.#unexpected('expected a value');
    this.#take();
    if (text === '{') {
      const members = this.#list('}', () => this.#member());
      return { range: { start: range.start, end: this.#at }, value: { kind: 'object', members } };
    }
    if (text === '[') {
      const items = this.#list(']', () => this.#value());
      return { range: { start: range.start, end: this.#at }, value: { kind: 'array', items } };
    }
    if (text.startsWith('"')) return { range, value: { kind: 'string', text: this.#string(range) } };
    return { range, value: { kind: 'scalar', value: JSON.parse(text) as null | boolean | number } };
  }

  #member(): JsonMember {
    const nameRange = this.#peek();
    if (nameRange === undefined || !this.#text(nameRange).startsWith('"'))
      throw this.#unexpected('expected a name in quotes');
    this.#take();
    const name = this.#string(nameRange);
    if (!this.#takeIf(':')) throw this.#unexpected(`expected ":" after "${name}"`);
    return { name, nameRange, node: this.#value() };
  }

  #list<T>(close: string, read: () => T): T[] {
    const found: T[] = [];
    if (this.#takeIf(close)) return found;
    for (;;) {
      found.push(read());
      if (this.#takeIf(close)) return found;
      if (!this.#takeIf(',')) throw this.#unexpected(`expected "," or "${close}"`);
      if (this.#text(this.#peek()) === close) throw this.#unexpected('expected another one after ","');
    }
  }

  #string(range: Range): string {
    try {
      return JSON.parse(this.#text(range)) as string;
    } catch {
      throw this.#error(
        'invalid JSON string: a backslash goes before one of "\\/bfnrtu", and control characters are escaped',
        range,
      );
    }
  }

  #unexpected(expected: string): Error {
    const range = this.#peek();
    const found = range === undefined ? 'the file ends' : `there is ${JSON.stringify(this.#text(range))}`;
    return this.#error(`invalid JSON: ${expected}, but here ${found}`, range ?? { start: this.#at, end: this.#at });
  }

  #error(message: string, range: Range): Error {
    return hclError('HCL_SYNTAX', message, { place: this.#source.place(range) });
  }
}
