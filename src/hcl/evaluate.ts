import { editDistance } from '../base/index.ts';
import { hclError, isHclError, placed, ValueError } from './errors.ts';
import { callFunction, type FunctionSpec, type FunctionWorld } from './functions/call.ts';
import { attributeOf, indexOf, iterate, operand, operate } from './operations.ts';
import type { Range } from './source.ts';
import type { Expression, ForExpression, TemplatePart } from './syntax.ts';
import { typeFrom } from './type-expression.ts';
import { BOOL, convert, NUMBER, STRING, unify } from './types.ts';
import { isList, isObject, objectOf, SetValue, typeName, type Value } from './value.ts';

/** What names mean. */
export interface Scope {
  /** Undefined for what is not there. */
  variable(name: string): Value | undefined;
  function(name: string): FunctionSpec | undefined;
  /** For suggestions. */
  names(kind: 'variable' | 'function'): Iterable<string>;
  readonly world: FunctionWorld;
}

/** Calls within calls: a function that is its own argument ends here, not at the end of the stack. */
const MAX_DEPTH = 1000;

/** Evaluates an expression. Throws `HCL_EVALUATION` with the place. */
export function evaluate(expression: Expression, scope: Scope): Value {
  return new Evaluation(scope).value(expression);
}

/** A scope with further variables, which go before. */
export function withVariables(scope: Scope, variables: ReadonlyMap<string, Value>): Scope {
  return {
    world: scope.world,
    variable: (name) => (variables.has(name) ? variables.get(name) : scope.variable(name)),
    function: (name) => scope.function(name),
    names: (kind) => (kind === 'function' ? scope.names(kind) : [...variables.keys(), ...scope.names(kind)]),
  };
}

class Evaluation {
  readonly #scope: Scope;
  readonly #item: Value | undefined;
  readonly #depth: number;

  constructor(scope: Scope, o: { item?: Value | undefined; depth?: number } = {}) {
    this.#scope = scope;
    this.#item = o.item;
    this.#depth = o.depth ?? 0;
  }

  value(e: Expression): Value {
    if (this.#depth > MAX_DEPTH) throw failure(e, 'the expression goes too deep');
    const inner = new Evaluation(this.#scope, { item: this.#item, depth: this.#depth + 1 });
    try {
      return inner.#evaluate(e);
    } catch (error) {
      throw placed(error, e.source.place(e.range));
    }
  }

  #evaluate(e: Expression): Value {
    switch (e.kind) {
      case 'literal':
        return e.value;
      case 'parentheses':
        return this.value(e.inner);
      case 'template':
        return this.#text(e.parts, e);
      case 'variable':
        return this.#variable(e);
      case 'item':
        return this.#item ?? null;
      case 'attribute':
        return attributeOf(this.value(e.target), e.name);
      case 'index':
        return indexOf(this.value(e.target), this.value(e.key));
      case 'splat':
        return this.#splat(e);
      case 'call':
        return this.#call(e);
      case 'unary': {
        const value = this.value(e.operand);
        return e.operator === '!' ? operand(value, BOOL) === false : -Number(operand(value, NUMBER));
      }
      case 'binary':
        return operate(e.operator, this.value(e.left), this.value(e.right));
      case 'conditional':
        return this.#conditional(e);
      case 'tuple':
        return e.items.map((item) => this.value(item));
      case 'object':
        return this.#object(e);
      default:
        return e.key === undefined ? this.#forTuple(e) : this.#forObject(e, e.key);
    }
  }

  #variable(e: Expression & { readonly kind: 'variable' }): Value {
    const value = this.#scope.variable(e.name);
    if (value !== undefined) return value;
    const remedy = suggestion(e.name, this.#scope.names('variable'));
    throw failure(e, `there is no variable "${e.name}"`, remedy ?? `Declare it: variable "${e.name}" {}.`);
  }

  #object(e: Expression & { readonly kind: 'object' }): Value {
    const entries = e.items.map(({ key, word, value }) => {
      const name = word ?? this.#key(key);
      return [name, this.value(value)] as const;
    });
    return objectOf(entries);
  }

  #key(e: Expression): string {
    const value = this.value(e);
    if (value === null) throw failure(e, 'a key is null');
    return convert(value, STRING) as string;
  }

  #conditional(e: Expression & { readonly kind: 'conditional' }): Value {
    const condition = this.value(e.condition);
    const holds = this.#at(e.condition, () => operand(condition, BOOL)) === true;
    const chosen = this.value(holds ? e.yes : e.no);
    // The other side has a say in the type of the result, but may fail where it is not chosen.
    let other: Value;
    try {
      other = this.value(holds ? e.no : e.yes);
    } catch (error) {
      if (!isHclError(error)) throw error;
      return chosen;
    }
    const both = unify([chosen, other]);
    if (both === undefined)
      throw failure(
        e,
        `the two values of the conditional have no type in common: ${typeName(chosen)} and ${typeName(other)}`,
      );
    return both[0] ?? null;
  }

  #splat(e: Expression & { readonly kind: 'splat' }): Value {
    const target = this.value(e.target);
    const many = isList(target) || target instanceof SetValue;
    if (target === null) return [];
    const items = many ? iterate(target).map(([, item]) => item) : [target];
    return items.map((item) => new Evaluation(this.#scope, { item, depth: this.#depth }).value(e.each));
  }

  #each(e: ForExpression | (TemplatePart & { readonly kind: 'for' })): readonly Evaluation[] {
    const collection = this.value(e.collection);
    const elements = this.#at(e.collection, () => iterate(collection));
    return elements.map(([key, value]) => {
      const variables = new Map<string, Value>([[e.valueName, value]]);
      if (e.keyName !== undefined) variables.set(e.keyName, key);
      return new Evaluation(withVariables(this.#scope, variables), { item: this.#item, depth: this.#depth });
    });
  }

  #holds(e: ForExpression, inner: Evaluation): boolean {
    if (e.condition === undefined) return true;
    const { condition } = e;
    const value = inner.value(condition);
    return this.#at(condition, () => operand(value, BOOL)) === true;
  }

  #forTuple(e: ForExpression): Value {
    return this.#each(e)
      .filter((inner) => this.#holds(e, inner))
      .map((inner) => inner.value(e.value));
  }

  #forObject(e: ForExpression, keyOf: Expression): Value {
    const found = new Map<string, Value>();
    for (const inner of this.#each(e)) {
      if (!this.#holds(e, inner)) continue;
      const key = inner.#key(keyOf);
      const value = inner.value(e.value);
      const before = found.get(key);
      if (e.group) found.set(key, [...(isList(before ?? null) ? (before as readonly Value[]) : []), value]);
      else if (before === undefined) found.set(key, value);
      else throw failure(keyOf, `two elements have the key "${key}"`, 'Group them: write "..." after the value.');
    }
    return objectOf(found);
  }

  #text(parts: readonly TemplatePart[], e: Expression): string {
    let text = '';
    for (const part of parts) {
      switch (part.kind) {
        case 'text':
          text += part.text;
          break;
        case 'expression':
          text += this.#interpolated(part.expression);
          break;
        case 'if': {
          const condition = this.value(part.condition);
          const holds = this.#at(part.condition, () => operand(condition, BOOL)) === true;
          text += this.#text(holds ? part.yes : part.no, e);
          break;
        }
        default:
          for (const inner of this.#each(part)) text += inner.#text(part.body, e);
      }
    }
    return text;
  }

  #interpolated(e: Expression): string {
    const value = this.value(e);
    if (value === null) throw failure(e, 'a null cannot be part of a text');
    if (typeof value === 'object')
      throw failure(
        e,
        `a ${typeName(value)} cannot be part of a text`,
        'Make a text of it: join(",", …) or jsonencode(…).',
      );
    return convert(value, STRING) as string;
  }

  #call(e: Expression & { readonly kind: 'call' }): Value {
    const spec = this.#scope.function(e.name);
    if (!spec && e.name !== 'try' && e.name !== 'can' && e.name !== 'convert') {
      const names = [...this.#scope.names('function'), 'try', 'can', 'convert'];
      throw failure({ ...e, range: e.nameRange }, `there is no function "${e.name}"`, suggestion(e.name, names));
    }
    if (!spec) return this.#special(e);
    const args: Value[] = [];
    for (const [at, arg] of e.args.entries()) {
      const value = this.value(arg);
      if (!e.spread || at < e.args.length - 1) args.push(value);
      else args.push(...this.#at(arg, () => iterate(isObject(value) ? [] : value)).map(([, item]) => item));
    }
    try {
      return callFunction(spec, args, this.#scope.world);
    } catch (error) {
      const argument = error instanceof ValueError ? error.argument : undefined;
      const arg = argument === undefined ? e : (e.args[Math.min(argument, e.args.length - 1)] ?? e);
      throw placed(error, arg.source.place(arg.range), `call function "${e.name}": `);
    }
  }

  /** Functions that are handed expressions, not values. */
  #special(e: Expression & { readonly kind: 'call' }): Value {
    const [first, second] = e.args;
    if (first === undefined) throw failure(e, `call function "${e.name}": it takes an argument`);
    if (e.name === 'convert') {
      if (second === undefined) throw failure(e, 'call function "convert": it takes a value and a type');
      return convert(this.value(first), typeFrom(second));
    }
    const tried = e.name === 'can' ? [first] : e.args;
    for (const arg of tried) {
      try {
        const value = this.value(arg);
        return e.name === 'can' ? true : value;
      } catch (error) {
        if (!isHclError(error)) throw error;
      }
    }
    if (e.name === 'can') return false;
    throw failure(e, 'call function "try": none of the expressions can be evaluated');
  }

  #at<T>(e: Expression, read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw placed(error, e.source.place(e.range));
    }
  }
}

function failure(
  at: { readonly source: Expression['source']; readonly range: Range },
  message: string,
  remedy?: string,
): Error {
  return hclError('HCL_EVALUATION', message, { place: at.source.place(at.range), remedy });
}

/** "Did you mean"; undefined where nothing is near. */
export function suggestion(name: string, known: Iterable<string>): string | undefined {
  const near = [...new Set(known)]
    .map((one) => ({ one, steps: editDistance(one.toLowerCase(), name.toLowerCase()) }))
    .filter(({ one, steps }) => steps <= Math.max(1, Math.floor(one.length / 3)))
    .sort((a, b) => a.steps - b.steps)
    .slice(0, 1);
  return near[0] && `Did you mean "${near[0].one}"?`;
}
