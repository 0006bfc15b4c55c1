import { messageOf } from '../base/index.ts';
import { graphError } from './errors.ts';
import type { SourceConstraint, SourcePolicy, SourceRule } from './source-policy.ts';

const ACTIONS = ['allow', 'deny', 'convert'] as const;
const MATCHES = ['wildcard', 'exact', 'regex'] as const;
const CONDITIONS = ['equal', 'not-equal', 'matches'] as const;

/** A policy in JSON, as buildx reads it: names of actions and kinds of matches as text, in any case, or as numbers. A name that is not known is an error: a rule that was left out would let in what it keeps out. Throws `SOURCE_POLICY_INVALID`. */
export function readSourcePolicy(text: string): SourcePolicy {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid('', messageOf(error), error);
  }
  const policy = new Fields(value, '', ['version', 'rules']);
  return { rules: policy.list('rules').map((rule, at) => ruleOf(rule, `rules[${at}]`)) };
}

function ruleOf(value: unknown, at: string): SourceRule {
  const rule = new Fields(value, at, ['action', 'selector', 'updates']);
  const action = rule.oneOf('action', ACTIONS);
  const given = rule.value('selector');
  if (given === undefined) throw invalid(at, 'it has no selector');
  const selector = new Fields(given, `${at}.selector`, ['identifier', 'matchtype', 'constraints']);
  const updates = rule.value('updates');
  const update = updates === undefined ? undefined : new Fields(updates, `${at}.updates`, ['identifier', 'attrs']);
  return {
    action,
    selector: {
      identifier: selector.text('identifier'),
      match: selector.oneOf('matchtype', MATCHES),
      constraints: selector.list('constraints').map((one, n) => constraintOf(one, `${at}.selector.constraints[${n}]`)),
    },
    updates: update && { identifier: update.text('identifier'), attrs: update.texts('attrs') },
  };
}

function constraintOf(value: unknown, at: string): SourceConstraint {
  const fields = new Fields(value, at, ['key', 'value', 'condition']);
  return { key: fields.text('key'), value: fields.text('value'), condition: fields.oneOf('condition', CONDITIONS) };
}

/** Members of an object by their names without case, "_" and "-". */
class Fields {
  readonly #fields = new Map<string, unknown>();
  readonly #at: string;

  constructor(value: unknown, at: string, known: readonly string[]) {
    this.#at = at;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(at, 'it is no object');
    for (const [name, member] of Object.entries(value)) {
      const plain = plainOf(name);
      if (!known.includes(plain)) throw invalid(at, `"${name}" is not known`);
      if (member !== null) this.#fields.set(plain, member);
    }
  }

  value(name: string): unknown {
    return this.#fields.get(name);
  }

  text(name: string): string {
    const value = this.#fields.get(name) ?? '';
    if (typeof value !== 'string') throw invalid(this.#at, `"${name}" is no text`);
    return value;
  }

  texts(name: string): Record<string, string> {
    const value = this.#fields.get(name) ?? {};
    if (typeof value !== 'object' || Array.isArray(value) || value === null)
      throw invalid(this.#at, `"${name}" is no object`);
    for (const [key, one] of Object.entries(value))
      if (typeof one !== 'string') throw invalid(this.#at, `"${key}" of "${name}" is no text`);
    return { ...(value as Record<string, string>) };
  }

  list(name: string): readonly unknown[] {
    const value = this.#fields.get(name) ?? [];
    if (!Array.isArray(value)) throw invalid(this.#at, `"${name}" is no list`);
    return value;
  }

  /** By name or by number; the first where it is absent. */
  oneOf<T extends string>(name: string, all: readonly [T, ...T[]]): T {
    const value = this.#fields.get(name) ?? 0;
    const found =
      typeof value === 'number'
        ? all[value]
        : all.find((one) => typeof value === 'string' && plainOf(one) === plainOf(value));
    if (found === undefined) throw invalid(this.#at, `"${name}" is none of ${all.map(nameOf).join(', ')}`);
    return found;
  }
}

function plainOf(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, '');
}

function nameOf(one: string): string {
  return one.toUpperCase().replaceAll('-', '');
}

function invalid(at: string, what: string, cause?: unknown): Error {
  return graphError('SOURCE_POLICY_INVALID', `read source policy: ${at === '' ? '' : `${at}: `}${what}`, {
    remedy: 'Give JSON such as {"rules":[{"action":"DENY","selector":{"identifier":"docker-image://*"}}]}.',
    cause,
  });
}
