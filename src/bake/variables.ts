import { messageOf } from '../base/index.ts';
import {
  ANY,
  convert,
  evaluate,
  formatNumber,
  friendlyType,
  hclError,
  isList,
  objectOf,
  placed,
  SetValue,
  toJson,
  typeFrom,
  ValueError,
  type Attribute,
  type Block,
  type Scope,
  type Type,
  type Value,
} from '../hcl/index.ts';
import { csvFields } from './csv.ts';
import { parseBool } from './entries.ts';

/** What `--list variables` tells of one. */
export interface VariableInfo {
  readonly name: string;
  readonly description?: string | undefined;
  readonly type?: string | undefined;
  /** Absent: null. */
  readonly value?: string | undefined;
}

/** What is given from outside: `--var` first, then the environment. */
export type GivenVariable = (name: string) => string | undefined;

/** A `variable` block. */
export class Variable {
  readonly name: string;
  readonly block: Block;
  /** Undefined where none is written. */
  readonly type: Type | undefined;
  readonly description: string | undefined;
  readonly #default: Attribute | undefined;

  constructor(block: Block, scope: Scope) {
    this.block = block;
    this.name = block.labels[0]?.text ?? '';
    const attribute = (name: string): Attribute | undefined => block.body.attributes.find((one) => one.name === name);
    const type = attribute('type');
    const written = type?.expression.kind === 'literal' && type.expression.value === null ? undefined : type;
    this.type = written && typeFrom(written.expression);
    this.#default = attribute('default');
    const description = attribute('description');
    const text = description && evaluate(description.expression, scope);
    this.description = typeof text === 'string' ? text : undefined;
  }

  /** Its value: what is given from outside as its type says, else its default (buildx, resolveValue). */
  value(scope: Scope, o: { readonly given: GivenVariable; readonly isKnown: (name: string) => boolean }): Value {
    const override = this.#override(o);
    if (!this.#default && !override) return this.type ? null : '';
    const written = this.#default;
    let value: Value = null;
    if (written) {
      value = evaluate(written.expression, scope);
      if (this.type)
        value = this.#at(() => convert(value, this.type ?? ANY), `invalid default of variable "${this.name}": `);
    }
    if (!override) return value;
    return this.#at(() => this.#given(override, value, written !== undefined));
  }

  info(value: Value): VariableInfo {
    const { name, description } = this;
    const type = this.type && friendlyType(this.type);
    return { name, description, type, value: value === null ? undefined : shown(value) };
  }

  /** Throws `HCL_EVALUATION` for the first rule that does not hold. */
  validate(scope: Scope): void {
    for (const rule of this.block.body.blocks.filter(({ type }) => type === 'validation')) {
      const find = (name: string): Attribute | undefined => rule.body.attributes.find((one) => one.name === name);
      const [condition, message] = [find('condition'), find('error_message')];
      const at = rule.source.place(rule.typeRange);
      if (!condition) throw hclError('HCL_EVALUATION', 'the validation has no "condition"', { place: at });
      const value = evaluate(condition.expression, scope);
      const place = condition.source.place(condition.expression.range);
      if (value === null)
        throw hclError('HCL_EVALUATION', 'the condition is null: it must be true or false', { place });
      let holds: Value;
      try {
        holds = convert(value, { kind: 'bool' });
      } catch (error) {
        throw placed(error, place, 'invalid condition: ');
      }
      if (holds === true) continue;
      const text = message ? evaluate(message.expression, scope) : null;
      const detail = typeof text === 'string' ? text : 'the condition does not hold';
      throw hclError('HCL_EVALUATION', `validation of variable "${this.name}" failed: ${detail}`, {
        place,
        remedy: `Give it another value: --var ${this.name}=…, or ${this.name}=… in the environment.`,
      });
    }
  }

  #override(o: {
    readonly given: GivenVariable;
    readonly isKnown: (name: string) => boolean;
  }): { readonly text: string; readonly json: boolean } | undefined {
    const text = o.given(this.name);
    const json = text === undefined || this.type !== undefined;
    const name = `${this.name}_JSON`;
    const other = json && !o.isKnown(name) ? o.given(name) : undefined;
    if (other !== undefined) return { text: other, json: true };
    return text === undefined ? undefined : { text, json: false };
  }

  #given({ text, json }: { readonly text: string; readonly json: boolean }, value: Value, hasDefault: boolean): Value {
    const { name, type } = this;
    if (type && json) return fromJsonText(name, text, type);
    if (type && (type.kind === 'list' || type.kind === 'set' || type.kind === 'map' || type.kind === 'tuple'))
      return fromCsv(name, text, type);
    if (type?.kind === 'any') return text;
    if (type?.kind === 'object')
      throw new ValueError(`variable "${name}" of type object can only be given as JSON: ${name}_JSON={…}`);
    if (type) return primitive(name, text, type);
    if (!hasDefault || value === null || typeof value === 'string') return text;
    if (typeof value === 'number') return primitive(name, text, { kind: 'number' });
    if (typeof value === 'boolean') return primitive(name, text, { kind: 'bool' });
    throw new ValueError(
      `variable "${name}" is ${isList(value) ? 'a list' : 'an object'} without a type, which cannot be given from outside: write type = list(string)`,
    );
  }

  #at<T>(read: () => T, before = ''): T {
    try {
      return read();
    } catch (error) {
      const range = this.#default?.range ?? this.block.labels[0]?.range ?? this.block.typeRange;
      throw placed(error, this.block.source.place(range), before);
    }
  }
}

function primitive(name: string, text: string, type: Type): Value {
  if (type.kind === 'bool') {
    const found = parseBool(text);
    if (found === undefined)
      throw new ValueError(`failed to parse ${name} as bool: invalid value ${JSON.stringify(text)}`);
    return found;
  }
  if (type.kind !== 'number') return text;
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text))
    throw new ValueError(`failed to parse ${name} as number: invalid value ${JSON.stringify(text)}`);
  return Number(text);
}

/** `a,b` of a list or set, `a:1,b:2` of a map. */
function fromCsv(name: string, text: string, type: Type & { readonly kind: 'list' | 'set' | 'map' | 'tuple' }): Value {
  const fields = csvFields(text);
  const element = (of: Type, field: string): Value => {
    if (of.kind !== 'string' && of.kind !== 'number' && of.kind !== 'bool')
      throw new ValueError(
        `variable "${name}" of type ${friendlyType(type)} can only be given as JSON: ${name}_JSON=…`,
      );
    return primitive(name, field, of);
  };
  if (type.kind === 'tuple') {
    if (type.elements.length !== fields.length)
      throw new ValueError(`variable "${name}" takes ${type.elements.length} elements, not ${fields.length}`);
    return fields.map((field, at) => element(type.elements[at] ?? ANY, field));
  }
  if (type.kind === 'list') return fields.map((field) => element(type.element, field));
  if (type.kind === 'set') return new SetValue(fields.map((field) => element(type.element, field)));
  return objectOf(
    fields.map((field) => {
      const [key, value, ...more] = csvFields(field, ':');
      if (key === undefined || value === undefined || more.length > 0)
        throw new ValueError(`variable "${name}": expected key:value, not ${JSON.stringify(field)}`);
      return [key, element(type.element, value)] as const;
    }),
  );
}

function fromJsonText(name: string, text: string, type: Type): Value {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ValueError(`failed to convert variable ${name} from JSON: ${messageOf(error)}`);
  }
  return convert(jsonValue(json), type);
}

function jsonValue(json: unknown): Value {
  if (json === null || typeof json === 'boolean' || typeof json === 'number' || typeof json === 'string') return json;
  if (Array.isArray(json)) return json.map(jsonValue);
  return objectOf(Object.entries(json as object).map(([key, item]) => [key, jsonValue(item)] as const));
}

function shown(value: Value): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return formatNumber(value);
  return typeof value === 'boolean' ? String(value) : JSON.stringify(toJson(value));
}
