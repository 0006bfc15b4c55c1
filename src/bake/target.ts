import type { Entry, Secret, Ssh } from './entries.ts';
import { isSameEntry } from './entries.ts';

export interface Resources {
  readonly [name: string]: string | number | undefined;
}

/** A target as files describe it; what is absent is not said. Keys are those of bake files. */
export interface Target {
  name: string;
  description?: string | undefined;
  inherits?: readonly string[] | undefined;
  annotations?: readonly string[] | undefined;
  attest?: readonly Entry[] | undefined;
  context?: string | undefined;
  contexts?: ReadonlyMap<string, string> | undefined;
  dockerfile?: string | undefined;
  'dockerfile-inline'?: string | undefined;
  args?: ReadonlyMap<string, string> | undefined;
  labels?: ReadonlyMap<string, string> | undefined;
  tags?: readonly string[] | undefined;
  'cache-from'?: readonly Entry[] | undefined;
  'cache-to'?: readonly Entry[] | undefined;
  target?: string | undefined;
  secret?: readonly Secret[] | undefined;
  ssh?: readonly Ssh[] | undefined;
  platforms?: readonly string[] | undefined;
  output?: readonly Entry[] | undefined;
  pull?: boolean | undefined;
  'no-cache'?: boolean | undefined;
  network?: string | undefined;
  'no-cache-filter'?: readonly string[] | undefined;
  'shm-size'?: string | undefined;
  ulimits?: readonly string[] | undefined;
  resources?: Resources | undefined;
  call?: string | undefined;
  entitlements?: readonly string[] | undefined;
  'extra-hosts'?: ReadonlyMap<string, string> | undefined;
  /** Built only as a context of others. */
  linked?: boolean | undefined;
}

export type FieldName = Exclude<keyof Target, 'name' | 'linked'>;

export interface Group {
  readonly name: string;
  readonly description?: string | undefined;
  readonly targets: readonly string[];
}

/** Kinds of fields, in the order in which `--print` shows them, and how the same field of another target joins: it takes its place, comes after it, or (maps and keyed lists) entry by entry. */
export const FIELDS = {
  description: { kind: 'text', merge: 'replace' },
  inherits: { kind: 'texts', merge: 'append' },
  annotations: { kind: 'texts', merge: 'append' },
  attest: { kind: 'attests', merge: 'append' },
  context: { kind: 'text', merge: 'replace' },
  contexts: { kind: 'map', merge: 'entries' },
  dockerfile: { kind: 'text', merge: 'replace' },
  'dockerfile-inline': { kind: 'text', merge: 'replace' },
  args: { kind: 'map', merge: 'entries' },
  labels: { kind: 'map', merge: 'entries' },
  tags: { kind: 'texts', merge: 'replace' },
  'cache-from': { kind: 'caches', merge: 'append' },
  'cache-to': { kind: 'caches', merge: 'replace' },
  target: { kind: 'text', merge: 'replace' },
  secret: { kind: 'secrets', merge: 'append' },
  ssh: { kind: 'sshs', merge: 'append' },
  platforms: { kind: 'texts', merge: 'replace' },
  output: { kind: 'outputs', merge: 'replace' },
  pull: { kind: 'bool', merge: 'replace' },
  'no-cache': { kind: 'bool', merge: 'replace' },
  network: { kind: 'text', merge: 'replace' },
  'no-cache-filter': { kind: 'texts', merge: 'append' },
  'shm-size': { kind: 'text', merge: 'replace' },
  ulimits: { kind: 'texts', merge: 'append' },
  resources: { kind: 'resources', merge: 'entries' },
  call: { kind: 'text', merge: 'replace' },
  entitlements: { kind: 'texts', merge: 'append' },
  'extra-hosts': { kind: 'map', merge: 'entries' },
} as const satisfies Readonly<
  Record<FieldName, { readonly kind: FieldKind; readonly merge: 'replace' | 'append' | 'entries' }>
>;

export type FieldKind =
  | 'text'
  | 'bool'
  | 'texts'
  | 'map'
  | 'outputs'
  | 'caches'
  | 'attests'
  | 'secrets'
  | 'sshs'
  | 'resources';

export const FIELD_NAMES = Object.keys(FIELDS) as readonly FieldName[];

/** What `later` says goes over what `target` says (buildx, Target.Merge). */
export function mergeInto(target: Target, later: Target): void {
  const into = target as unknown as Record<string, unknown>;
  for (const name of FIELD_NAMES) {
    const value = later[name];
    if (value === undefined) continue;
    const before = target[name];
    const { merge } = FIELDS[name];
    if (merge === 'replace' || before === undefined)
      into[name] = name === 'description' && value === '' ? before : value;
    else if (merge === 'append') into[name] = [...(before as readonly unknown[]), ...(value as readonly unknown[])];
    else if (value instanceof Map) into[name] = new Map([...(before as ReadonlyMap<string, string>), ...value]);
    else into[name] = { ...(before as Resources), ...(value as Resources) };
  }
  for (const name of ['attest', 'secret', 'ssh', 'cache-from', 'output'] as const) normalizeList(target, name);
}

function normalizeList(target: Target, name: 'attest' | 'secret' | 'ssh' | 'cache-from' | 'cache-to' | 'output'): void {
  switch (name) {
    case 'attest':
      target.attest = target.attest && lastOf(target.attest, (entry) => entry.type);
      break;
    case 'secret':
      target.secret = target.secret && lastOf(target.secret, (secret) => secret.id);
      break;
    case 'ssh':
      target.ssh = target.ssh && lastOf(target.ssh, (ssh) => ssh.id);
      break;
    default:
      target[name] = target[name] && withoutSame(target[name]);
  }
}

/** Without what is said twice or not at all (buildx, Target.normalize). */
export function normalize(target: Target): void {
  for (const name of ['attest', 'secret', 'ssh', 'cache-from', 'cache-to', 'output'] as const)
    normalizeList(target, name);
  for (const name of ['annotations', 'tags', 'platforms', 'no-cache-filter', 'ulimits'] as const)
    target[name] = target[name] && distinct(target[name]);
  if (target.network === 'host') target.entitlements = [...(target.entitlements ?? []), 'network.host'];
  target.entitlements = target.entitlements && distinct(target.entitlements);
  const contexts = [...(target.contexts ?? [])].filter(([, value]) => value !== '');
  target.contexts = contexts.length > 0 ? new Map(contexts) : undefined;
}

function distinct(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].filter((text) => text !== '');
}

/** A later entry of the same key takes the place of the earlier one. */
function lastOf<T>(entries: readonly T[], key: (entry: T) => string): readonly T[] {
  return [...new Map(entries.map((entry) => [key(entry), entry] as const)).values()];
}

/** Without duplicates, in the order that buildx's removeDupes leaves: the last one moves to where a duplicate was. */
function withoutSame(entries: readonly Entry[]): readonly Entry[] {
  const found = [...entries];
  for (let at = found.length - 2; at >= 0; at--) {
    const one = found[at];
    const same = found.findIndex((other, index) => index > at && one !== undefined && isSameEntry(one, other));
    const last = found.at(-1);
    if (same < 0 || last === undefined) continue;
    found[same] = last;
    found.pop();
  }
  return found;
}
