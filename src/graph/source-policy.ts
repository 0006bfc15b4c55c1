import { goExpand, goRegExp, goReplaceAll, messageOf, timeLimited } from '../base/index.ts';
import { graphError } from './errors.ts';

/** What a build's sources may be, in BuildKit's terms (sourcepolicy/pb): rules that are looked through in order. */
export interface SourcePolicy {
  readonly rules: readonly SourceRule[];
}

export interface SourceRule {
  readonly action: 'allow' | 'deny' | 'convert';
  readonly selector: {
    /** As `docker-image://docker.io/library/alpine:*`. */
    readonly identifier: string;
    readonly match: 'exact' | 'wildcard' | 'regex';
    readonly constraints: readonly SourceConstraint[];
  };
  /** What `convert` makes of the source; in `identifier` `$1` stands for what the first `*` or group matched. Empty: the selector's own. */
  readonly updates?: { readonly identifier: string; readonly attrs: Readonly<Record<string, string>> } | undefined;
}

/** What an attribute of the source must be; one that is absent is empty. */
export interface SourceConstraint {
  readonly key: string;
  readonly value: string;
  readonly condition: 'equal' | 'not-equal' | 'matches';
}

/** A source as BuildKit's operations name it. */
export interface NamedSource {
  readonly identifier: string;
  readonly attrs: Readonly<Record<string, string>>;
}

/** Conversions of one source, one after the other. */
const MOST_CONVERSIONS = 20;
const LONGEST = 16 << 10;
/** Patterns are other people's: one may take this long. */
const PATTERN_MS = 500;

/**
 * The source that policies make of a source; the same object where nothing changes. In one policy the last rule that matches decides between allow and deny; a conversion ends the look through all of them, which then begins
 * anew with the new source. Throws `SOURCE_DENIED`, and `SOURCE_POLICY_INVALID` for rules that cannot be applied or never come to an end.
 */
export function applyPolicies(policies: readonly SourcePolicy[], source: NamedSource): NamedSource {
  let current = source;
  for (let round = 0; round <= MOST_CONVERSIONS; round++) {
    const before = current;
    for (const policy of policies) {
      current = applyOnce(policy, before);
      if (current !== before) break;
    }
    if (current === before) return current;
  }
  throw graphError(
    'SOURCE_POLICY_INVALID',
    `apply the source policy to "${source.identifier}": too many mutations on a single source`,
    { remedy: 'Let no rule convert what another one converts back.' },
  );
}

function applyOnce({ rules }: SourcePolicy, source: NamedSource): NamedSource {
  let denied = false;
  for (const rule of rules) {
    if (!matches(rule, source)) continue;
    if (rule.action === 'convert') {
      const converted = convert(rule, source);
      if (converted !== source) return converted;
    } else denied = rule.action === 'deny';
  }
  if (denied)
    throw graphError('SOURCE_DENIED', `source "${source.identifier}" denied by policy`, {
      remedy: 'Use a source that the policy allows, or have it allow this one.',
    });
  return source;
}

function matches({ selector }: SourceRule, { identifier, attrs }: NamedSource): boolean {
  for (const { key, value, condition } of selector.constraints) {
    const is = Object.hasOwn(attrs, key) ? (attrs[key] ?? '') : '';
    if (
      condition === 'matches'
        ? !tried(value, () => goRegExp(value).test(is))
        : (condition === 'equal') !== (is === value)
    )
      return false;
  }
  if (selector.identifier === identifier) return true;
  if (selector.match === 'exact') return false;
  return tried(selector.identifier, () => patternOf(selector).test(identifier));
}

function convert({ selector, updates }: SourceRule, source: NamedSource): NamedSource {
  if (!updates)
    throw graphError('SOURCE_POLICY_INVALID', `convert "${source.identifier}": missing destination for convert rule`);
  const template = updates.identifier === '' ? selector.identifier : updates.identifier;
  const made = formatted(selector, source.identifier, template) || source.identifier;
  if (made.length > LONGEST)
    throw graphError('SOURCE_POLICY_INVALID', `convert "${source.identifier}": what comes of it is too long`);
  const changed = Object.entries(updates.attrs).some(
    ([name, value]) => !Object.hasOwn(source.attrs, name) || source.attrs[name] !== value,
  );
  if (made === source.identifier && !changed) return source;
  return { identifier: made, attrs: { ...source.attrs, ...updates.attrs } };
}

function formatted(selector: SourceRule['selector'], identifier: string, template: string): string {
  if (selector.match === 'exact') return template;
  return tried(selector.identifier, () => {
    if (selector.match === 'regex') return goReplaceAll(identifier, patternOf(selector, 'g'), template);
    const match = patternOf(selector).exec(identifier);
    return match ? goExpand(template, { groups: match }) : identifier;
  });
}

function patternOf({ identifier, match }: SourceRule['selector'], flags = ''): RegExp {
  if (match === 'regex') return goRegExp(identifier, flags);
  if (identifier.includes('**')) throw new SyntaxError('invalid wildcard: "**"');
  const quoted = identifier.replace(/[\\^$.+?()[\]{}|]/g, '\\$&').replaceAll('*', '(.*)');
  return new RegExp(`^${quoted}$`, 'u');
}

/** A pattern at work, for as long as one may be. */
function tried<T>(pattern: string, work: () => T): T {
  try {
    return timeLimited(work, PATTERN_MS);
  } catch (error) {
    throw graphError('SOURCE_POLICY_INVALID', `match a source with "${pattern}": ${messageOf(error)}`, {
      remedy: 'Repair the pattern in the source policy.',
      cause: error,
    });
  }
}
