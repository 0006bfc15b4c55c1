import { ValueError } from '../hcl/index.ts';
import {
  attestFromText,
  cachesFromText,
  outputFromText,
  parseBool,
  secretFromText,
  sshFromText,
  type Entry,
} from './entries.ts';
import { bakeError } from './errors.ts';
import { resourceFrom } from './fields.ts';
import { nameMatcher } from './glob.ts';
import type { Target } from './target.ts';

/** What `--set` says, by target and key (`args.NAME`). */
export type Overrides = ReadonlyMap<string, ReadonlyMap<string, Override>>;

interface Override {
  /** As it was written, for messages. */
  readonly text: string;
  readonly values: readonly string[];
  readonly append: boolean;
}

const LISTS = [
  'output',
  'cache-to',
  'cache-from',
  'tags',
  'platform',
  'secrets',
  'ssh',
  'attest',
  'entitlements',
  'annotations',
  'no-cache-filter',
  'ulimits',
];
const NAMED = ['args', 'contexts', 'labels', 'extra-hosts', 'resources', 'secret'];
const SINGLE = [
  'context',
  'dockerfile',
  'dockerfile-inline',
  'target',
  'call',
  'no-cache',
  'pull',
  'push',
  'load',
  'shm-size',
  'network',
  'description',
];

/** Reads `--set` flags: `target.key[.name][+]=value`, the target a pattern (buildx, newOverrides). Throws `BAKE_OVERRIDE`. */
export function readOverrides(
  texts: readonly string[],
  o: { readonly names: readonly string[]; readonly env: Readonly<Record<string, string | undefined>> },
): Overrides {
  const found = new Map<string, Map<string, Override>>();
  for (const text of texts) {
    const equals = text.indexOf('=');
    const left = equals < 0 ? text : text.slice(0, equals);
    const append = left.endsWith('+');
    const [pattern = '', key = '', ...rest] = (append ? left.slice(0, -1) : left).split('.');
    const name = rest.length === 0 ? undefined : rest.join('.');
    if (key === '') throw wrong(text, 'the key is missing', 'Write target.key=value, as *.platform=linux/arm64.');
    if (![...LISTS, ...NAMED, ...SINGLE].includes(key))
      throw wrong(
        text,
        `there is no key "${key}"`,
        `Use one of: ${[...LISTS, ...NAMED, ...SINGLE].sort().join(', ')}.`,
      );
    if (NAMED.includes(key) && (name === undefined || name === ''))
      throw wrong(text, `${key} needs a name`, `Write target.${key}.NAME=value.`);
    if (equals < 0 && key !== 'args') throw wrong(text, 'there is no "="', 'Write target.key=value.');
    const value = equals < 0 ? o.env[name ?? ''] : text.slice(equals + 1);
    // An argument without a value is the environment's, where it has one.
    if (value === undefined) continue;
    const full = name === undefined ? key : `${key}.${name}`;
    for (const target of matching(pattern, text, o.names)) {
      const own = found.get(target) ?? new Map<string, Override>();
      found.set(target, own);
      const before = own.get(full);
      const values = LISTS.includes(key) ? [...(before?.values ?? []), value] : [value];
      own.set(full, { text, values, append });
    }
  }
  return found;
}

function matching(pattern: string, text: string, names: readonly string[]): readonly string[] {
  if (names.includes(pattern)) return [pattern];
  const matches = nameMatcher(pattern);
  const found = matches ? names.filter(matches) : [];
  if (found.length === 0)
    throw wrong(
      text,
      `could not find any target matching "${pattern}"`,
      names.length > 0 ? `There are: ${names.slice(0, 20).join(', ')}.` : undefined,
    );
  return found;
}

function wrong(text: string, detail: string, remedy?: string): Error {
  return bakeError('BAKE_OVERRIDE', `read --set "${text}": ${detail}`, { remedy });
}

/** Puts overrides on a target (buildx, AddOverrides). Throws `BAKE_OVERRIDE`. */
export function applyOverrides(target: Target, overrides: ReadonlyMap<string, Override>): void {
  for (const [full, override] of overrides) {
    const dot = full.indexOf('.');
    const key = dot < 0 ? full : full.slice(0, dot);
    try {
      applyOne(target, key, dot < 0 ? '' : full.slice(dot + 1), override);
    } catch (error) {
      if (error instanceof ValueError) throw wrong(override.text, error.message);
      throw error;
    }
  }
}

function applyOne(target: Target, key: string, name: string, { values, append }: Override): void {
  const [value = ''] = values;
  const given = values.filter((text) => text !== '');
  const joined = <T>(before: readonly T[] | undefined, now: readonly T[]): readonly T[] =>
    append ? [...(before ?? []), ...now] : now;
  const bool = (): boolean => {
    const found = parseBool(value);
    if (found === undefined) throw new ValueError(`invalid value ${JSON.stringify(value)} for boolean key ${key}`);
    return found;
  };
  switch (key) {
    case 'context':
    case 'dockerfile':
    case 'dockerfile-inline':
    case 'target':
    case 'call':
    case 'shm-size':
    case 'network':
    case 'description':
      target[key] = value;
      return;
    case 'args':
    case 'contexts':
    case 'labels':
    case 'extra-hosts':
      target[key] = new Map([...(target[key] ?? []), [name, value]]);
      return;
    case 'resources':
      target.resources = { ...target.resources, [name]: resourceFrom(name, value) };
      return;
    case 'tags':
    case 'no-cache-filter':
    case 'ulimits':
      target[key] = joined(target[key], values);
      return;
    case 'platform':
      target.platforms = joined(
        target.platforms,
        values.flatMap((text) => text.split(',')),
      );
      return;
    case 'entitlements':
    case 'annotations':
      target[key] = [...(target[key] ?? []), ...values];
      return;
    case 'cache-from':
    case 'cache-to':
      target[key] = joined(target[key], given.flatMap(cachesFromText));
      return;
    case 'output':
      target.output = joined(target.output, given.map(outputFromText));
      return;
    case 'attest':
      target.attest = [...(target.attest ?? []), ...given.map(attestFromText)];
      return;
    case 'secrets':
      target.secret = joined(target.secret, given.map(secretFromText));
      return;
    case 'secret':
      target.secret = withSecret(target, name, value);
      return;
    case 'ssh':
      target.ssh = joined(target.ssh, given.map(sshFromText));
      return;
    case 'no-cache':
    case 'pull':
      target[key] = bool();
      return;
    case 'push':
      target.output = withPush(target.output ?? [], bool());
      return;
    default:
      target.output = withLoad(target.output ?? [], bool());
  }
}

/** Another source for a secret that the files declare. */
function withSecret(target: Target, id: string, text: string): Target['secret'] {
  const next = secretFromText(text);
  if (next.id !== '' && next.id !== id)
    throw new ValueError(`secret override id "${next.id}" does not match declared secret "${id}"`);
  const before = target.secret ?? [];
  if (!before.some((secret) => secret.id === id))
    throw new ValueError(`secret "${id}" must be declared before it can be overridden`);
  return before.map((secret) => (secret.id === id ? { ...next, id } : secret));
}

/** `--push`: image outputs push; where there are none but docker's, one is added. */
function withPush(outputs: readonly Entry[], push: boolean): readonly Entry[] {
  const set = (entry: Entry): Entry =>
    entry.type === 'image'
      ? {
          ...entry,
          attributes: new Map(
            [...entry.attributes, ['push', String(push)] as const].sort(([a], [b]) => (a < b ? -1 : 1)),
          ),
        }
      : entry;
  if (!push) return outputs.filter(({ type }) => type !== 'registry').map(set);
  const done = outputs.map(set);
  if (outputs.some(({ type }) => type !== 'docker')) return done;
  return [...done, { type: 'image', attributes: new Map([['push', 'true']]) }];
}

/** `--load`: unless something else than images comes of it, it also goes to Docker. */
function withLoad(outputs: readonly Entry[], load: boolean): readonly Entry[] {
  if (!load) return outputs;
  for (const { type, attributes } of outputs) {
    if (type === 'docker') {
      if ((attributes.get('dest') ?? '') === '') return outputs;
    } else if (type !== 'image' && type !== 'registry' && type !== 'oci') return outputs;
  }
  return [...outputs, { type: 'docker', attributes: new Map() }];
}
