import { bareHost } from './target.ts';

/** A repository of a registry; a `Reference` is one, too. */
export interface RepositoryName {
  /** `host[:port]`; `docker.io` for Docker Hub. */
  readonly registry: string;
  readonly repository: string;
}

/** The names that mean Docker Hub, whose server is yet another one. */
export const HUB_ALIASES: readonly string[] = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];

/** The host to speak to for a registry's name. */
export function apiHost(registry: string): string {
  return HUB_ALIASES.includes(registry) ? 'registry-1.docker.io' : registry;
}

/** True when `registry` (host[:port]) is named by one of `hosts`: exactly, without a port for all ports, or by `*`. */
export function isNamed(registry: string, hosts: readonly string[]): boolean {
  const host = bareHost(registry);
  const hasNoPort = (name: string): boolean => bareHost(name) === name.replace(/^\[(.*)\]$/, '$1');
  return hosts.some((name) => name === '*' || name === registry || (hasNoPort(name) && bareHost(name) === host));
}

/** What a token allows, as `repository:team/app:pull,push` (distribution docs, spec/auth/scope.md). */
export type Scope = string;

export function scopeOf(repository: string, ...actions: readonly ('pull' | 'push' | 'delete')[]): Scope {
  return `repository:${repository}:${actions.join(',')}`;
}

/**
 * All of `ours` and `demanded`, one scope for each resource. Push scopes stand first, then the newly demanded: some registries read only the first one.
 */
export function mergeScopes(ours: readonly Scope[], demanded: readonly Scope[]): readonly Scope[] {
  const actions = new Map<string, Set<string>>();
  const fresh = new Set<string>();
  for (const [list, isOurs] of [
    [demanded, false],
    [ours, true],
  ] as const)
    for (const scope of list) {
      const at = scope.lastIndexOf(':');
      const resource = at < 0 ? scope : scope.slice(0, at);
      if (!isOurs && !ours.some((own) => own.startsWith(`${resource}:`))) fresh.add(resource);
      const set = actions.get(resource) ?? new Set();
      actions.set(resource, set);
      if (at >= 0) for (const action of scope.slice(at + 1).split(',')) if (action !== '') set.add(action);
    }
  const rank = ([resource, set]: [string, Set<string>]): number => (set.has('push') ? 0 : fresh.has(resource) ? 1 : 2);
  const position = (resource: string): number => ours.findIndex((own) => own.startsWith(`${resource}:`));
  return [...actions]
    .sort((a, b) => rank(a) - rank(b) || position(a[0]) - position(b[0]))
    .map(([resource, set]) => `${resource}:${inOrder(set).join(',')}`);
}

function inOrder(actions: Set<string>): string[] {
  const usual = ['pull', 'push', 'delete'];
  return [
    ...usual.filter((action) => actions.has(action)),
    ...[...actions].filter((action) => !usual.includes(action)),
  ];
}
