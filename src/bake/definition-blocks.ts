import type { SourcePlace } from '../base/index.ts';
import {
  convert,
  elementsOf,
  evaluate,
  hclError,
  isObject,
  placed,
  suggestion,
  ValueError,
  withVariables,
  type Attribute,
  type Block,
  type Range,
  type Scope,
  type Value,
} from '../hcl/index.ts';
import { fieldFrom, fieldValue, textsFrom } from './fields.ts';
import { LazyObject } from './lazy-object.ts';
import { FIELD_NAMES, FIELDS, mergeInto, type FieldName, type Group, type Target } from './target.ts';

/** Targets that the matrices of one file may come to. */
const MAX_VARIANTS = 10_000;

/** One target or group that a block describes; several with a matrix. */
interface Variant {
  readonly block: Block;
  readonly name: string;
  readonly scope: Scope;
  readonly fields: Map<string, unknown>;
  readonly running: Set<string>;
}

interface At {
  readonly source: Attribute['source'];
  readonly range: Range;
}

/** What is written but means nothing. */
export interface DefinitionWarning {
  readonly message: string;
  readonly remedy: string | undefined;
  readonly place: SourcePlace;
}

const GROUP_FIELDS = { description: { kind: 'text' }, targets: { kind: 'texts' } } as const;

/** The `target` and `group` blocks of files, evaluated field by field. */
export class DefinitionBlocks {
  readonly #scope: Scope;
  readonly #variants: Variant[] = [];
  /** Old names with what a matrix made of them. */
  readonly #renamed = new Map<string, string[]>();
  readonly #objects = new Map<string, Value>();
  readonly #blocks: readonly Block[];

  readonly warnings: DefinitionWarning[] = [];

  constructor(blocks: readonly Block[], scope: Scope) {
    this.#scope = scope;
    this.#blocks = blocks.filter(({ type }) => type === 'target' || type === 'group');
  }

  /** `target` and `group` as expressions see them. */
  objectOf(type: string): Value | undefined {
    if (type !== 'target' && type !== 'group') return undefined;
    let found = this.#objects.get(type);
    if (found === undefined) {
      const named = new Map<string, Variant[]>();
      for (const variant of this.#variants)
        if (variant.block.type === type) named.set(variant.name, [...(named.get(variant.name) ?? []), variant]);
      const fields = type === 'target' ? FIELD_NAMES : Object.keys(GROUP_FIELDS);
      found = new LazyObject(named.keys(), (name) => {
        const variants = named.get(name) ?? [];
        // Of several blocks of one name the last one is meant.
        const variant = variants.at(-1);
        return new LazyObject([...fields, 'name'], (field) =>
          field === 'name' ? name : variant ? this.#value(variant, field) : null,
        );
      });
      this.#objects.set(type, found);
    }
    return found;
  }

  /** All groups and targets; those of one name are merged in order. */
  collect(before: { readonly groups: readonly Group[]; readonly targets: readonly Target[] }): {
    readonly groups: readonly Group[];
    readonly targets: readonly Target[];
  } {
    for (const block of this.#blocks) this.#expand(block);
    const groups = new Map(before.groups.map((group) => [group.name, group] as const));
    const targets = new Map(before.targets.map((target) => [target.name, target] as const));
    for (const variant of this.#variants) {
      if (variant.block.type === 'group') {
        groups.set(variant.name, this.#group(variant));
        continue;
      }
      const target = this.#target(variant);
      const known = targets.get(variant.name);
      if (known) mergeInto(known, target);
      else {
        const fresh: Target = { name: variant.name };
        mergeInto(fresh, target);
        targets.set(variant.name, fresh);
      }
    }
    for (const [name, names] of this.#renamed) {
      const distinct = [...new Set(names)];
      const same = distinct.length === 1 && distinct[0] === name;
      if (!same && !groups.has(name)) groups.set(name, { name, targets: distinct });
    }
    return { groups: [...groups.values()], targets: [...targets.values()] };
  }

  #warn(at: At, message: string, remedy: string | undefined): void {
    const place = at.source.place(at.range);
    if (!this.warnings.some((one) => one.place.line === place.line && one.message === message))
      this.warnings.push({ message, remedy, place });
  }

  #expand(block: Block): void {
    const [label] = block.labels;
    const find = (name: string): Attribute | undefined => block.body.attributes.find((one) => one.name === name);
    const [name, matrix] = [find('name'), find('matrix')];
    const range = label?.range ?? block.typeRange;
    if (block.type === 'group' && (name ?? matrix))
      throw failure((name ?? matrix)!, `${name ? 'name' : 'matrix'} is not supported for groups`);
    if (name && !matrix) throw failure(name, 'name requires matrix', 'Leave it out: the label is the name.');
    const scopes = matrix ? this.#matrixScopes(matrix) : [this.#scope];
    if (this.#variants.length + scopes.length > MAX_VARIANTS)
      throw failure({ ...block, range }, `more than ${MAX_VARIANTS} targets`);
    const names = new Set<string>();
    for (const scope of scopes) {
      const own = name ? this.#name(name, scope) : (label?.text ?? '');
      const at = name ? { source: name.source, range: name.expression.range } : { source: block.source, range };
      if (!/^[a-zA-Z0-9_-]+$/.test(own))
        throw failure(
          at,
          `invalid name "${own}" of a ${block.type}: only letters, digits, "_" and "-" are allowed`,
          'Use the function sanitize.',
        );
      if (names.has(own)) throw failure(at, `duplicate name "${own}"`, 'Name each: name = "…${item}".');
      names.add(own);
      this.#variants.push({ block, name: own, scope, fields: new Map(), running: new Set() });
    }
    if (block.type !== 'target' || label === undefined) return;
    this.#renamed.set(label.text, [...(this.#renamed.get(label.text) ?? []), ...names]);
  }

  /** A scope for each combination; keys in order, the first one changing fastest. */
  #matrixScopes(matrix: Attribute): readonly Scope[] {
    const value = evaluate(matrix.expression, this.#scope);
    if (!isObject(value)) throw failure(matrix, 'matrix must be a map');
    let combinations: ReadonlyMap<string, Value>[] = [new Map()];
    for (const [key, axis] of value.entries()) {
      const items = isObject(axis) ? undefined : elementsOf(axis);
      if (!items) throw failure(matrix, `matrix values must be a list: "${key}" is none`);
      if (combinations.length * items.length > MAX_VARIANTS)
        throw failure(matrix, `more than ${MAX_VARIANTS} combinations`);
      combinations = items.flatMap(([, item]) => combinations.map((before) => new Map([...before, [key, item]])));
    }
    return combinations.map((variables) => withVariables(this.#scope, variables));
  }

  #name(attribute: Attribute, scope: Scope): string {
    const value = evaluate(attribute.expression, scope);
    return located(attribute, () => {
      const text = convert(value, { kind: 'string' });
      if (typeof text !== 'string') throw new ValueError('the name is null');
      return text;
    });
  }

  #target(variant: Variant): Target {
    const { body } = variant.block;
    // buildx says nothing of what it does not know here.
    for (const { type, source, typeRange } of body.blocks)
      this.#warn(
        { source, range: typeRange },
        `"${type}" in a target is no block and is left out`,
        `Write ${type} = { … }.`,
      );
    const target: Target = { name: variant.name };
    const into = target as unknown as Record<string, unknown>;
    for (const attribute of body.attributes) {
      if (attribute.name === 'name' || attribute.name === 'matrix') continue;
      if (!Object.hasOwn(FIELDS, attribute.name)) {
        const remedy = nearest(attribute.name, [...FIELD_NAMES, 'matrix', 'name']);
        this.#warn(
          { source: attribute.source, range: attribute.nameRange },
          `"${attribute.name}" is no argument of a target and is left out`,
          remedy,
        );
        continue;
      }
      const value = this.#field(variant, attribute.name, attribute);
      if (value !== undefined) into[attribute.name] = value;
    }
    return target;
  }

  #group(variant: Variant): Group {
    const { body, labels, source, typeRange } = variant.block;
    for (const { name, source: own, nameRange } of body.attributes)
      if (!Object.hasOwn(GROUP_FIELDS, name))
        this.#warn(
          { source: own, range: nameRange },
          `"${name}" is no argument of a group and is left out`,
          nearest(name, Object.keys(GROUP_FIELDS)),
        );
    const targets = body.attributes.find(({ name }) => name === 'targets');
    if (!targets)
      throw failure(
        { source, range: labels[0]?.range ?? typeRange },
        `group "${variant.name}" has no "targets"`,
        'Write targets = ["name", …].',
      );
    const description = body.attributes.find(({ name }) => name === 'description');
    const text = description && this.#field(variant, 'description', description);
    return {
      name: variant.name,
      description: typeof text === 'string' && text !== '' ? text : undefined,
      targets: [...new Set(this.#field(variant, 'targets', targets) as readonly string[] | undefined)],
    };
  }

  #value(variant: Variant, name: string): Value {
    const attribute = variant.block.body.attributes.find((one) => one.name === name);
    const field = attribute && this.#field(variant, name, attribute);
    if (variant.block.type === 'group') return (field as Value | undefined) ?? null;
    return fieldValue(FIELDS[name as FieldName].kind, field);
  }

  #field(variant: Variant, name: string, attribute: Attribute): unknown {
    if (variant.fields.has(name)) return variant.fields.get(name);
    const { type } = variant.block;
    if (variant.running.has(name))
      throw new ValueError(`reference cycle not allowed for ${type}.${variant.name}.${name}`);
    variant.running.add(name);
    try {
      const value = evaluate(attribute.expression, variant.scope);
      const field = located(attribute, () =>
        type === 'group'
          ? name === 'targets'
            ? textsFrom(value)
            : fieldFrom('text', value)
          : fieldFrom(FIELDS[name as FieldName].kind, value),
      );
      variant.fields.set(name, field);
      return field;
    } finally {
      variant.running.delete(name);
    }
  }
}

function located<T>(attribute: Attribute, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const { source, expression } = attribute;
    throw placed(error, source.place(expression.range), `invalid value of "${attribute.name}": `);
  }
}

function failure(at: At, message: string, remedy?: string): Error {
  return hclError('HCL_EVALUATION', message, { place: at.source.place(at.range), remedy });
}

function nearest(name: string, known: readonly string[]): string | undefined {
  const dashed = name.replaceAll('_', '-');
  return known.includes(dashed) ? `Did you mean "${dashed}"?` : suggestion(name, known);
}
