import { posix } from 'node:path';
import { editDistance } from '../base/index.ts';
import { compareText } from '../hcl/index.ts';
import type { Config } from './definition.ts';
import { bakeError } from './errors.ts';
import { isRemote } from './remote.ts';
import { nameMatcher } from './glob.ts';
import { applyOverrides, readOverrides, type Overrides } from './overrides.ts';
import { mergeInto, normalize, type Group, type Target } from './target.ts';

/** What is to be built. */
export interface Resolved {
  /** By name, in order; `default` holds what was asked for. */
  readonly groups: ReadonlyMap<string, Group>;
  /** Also those that are only the contexts of others (`linked`). */
  readonly targets: ReadonlyMap<string, Target>;
}

/** The targets that words of the command line mean, with everything they inherit, and overrides on top (buildx, ReadTargets). Throws `BAKE_TARGET_NOT_FOUND`, `BAKE_OVERRIDE`, `BAKE_INVALID`. */
export function resolveTargets(
  config: Pick<Config, 'groups' | 'targets'>,
  o: {
    readonly wanted: readonly string[];
    readonly overrides: readonly string[];
    readonly env: Readonly<Record<string, string | undefined>>;
    /** The definition is from elsewhere: `cwd://` stands for this machine and is kept. */
    readonly remote?: boolean | undefined;
  },
): Resolved {
  const names = config.targets.map(({ name }) => name);
  const overrides = readOverrides(o.overrides, { names, env: o.env });
  return new Resolution(config, overrides, o.remote === true).of(o.wanted);
}

class Resolution {
  readonly #config: Pick<Config, 'groups' | 'targets'>;
  readonly #overrides: Overrides;
  readonly #remote: boolean;

  constructor(config: Pick<Config, 'groups' | 'targets'>, overrides: Overrides, remote: boolean) {
    this.#config = config;
    this.#overrides = overrides;
    this.#remote = remote;
  }

  of(words: readonly string[]): Resolved {
    const wanted = [...new Set(words.flatMap((word) => this.#matching(word.replaceAll('.', '_'))))];
    const targets = new Map<string, Target>();
    const groups = new Map<string, Group>();
    for (const name of wanted) {
      const found = this.#members(name);
      for (const target of found.targets) targets.set(target, this.#resolved(target));
      for (const group of found.groups) {
        const known = this.#config.groups.find((one) => one.name === group);
        if (known) groups.set(group, known);
      }
    }
    this.#addDefault(wanted, groups);
    const chosen = Array.from(targets);
    for (const [name, target] of chosen) this.#link(name, target, { targets, visited: [] });
    const sorted = <T>(map: Map<string, T>): ReadonlyMap<string, T> =>
      new Map([...map].sort(([a], [b]) => compareText(a, b)));
    return { groups: sorted(groups), targets: sorted(targets) };
  }

  /** The group `default` also holds what was asked for by other names. */
  #addDefault(wanted: readonly string[], groups: Map<string, Group>): void {
    for (const name of wanted) {
      const known = groups.get('default');
      // buildx takes the name for the group's from then on that there is one.
      if (known && name === 'default') continue;
      groups.set('default', { ...known, name: 'default', targets: [...(known?.targets ?? []), name] });
    }
    const group = groups.get('default');
    if (group) groups.set('default', { ...group, targets: [...new Set(group.targets)].sort(compareText) });
  }

  #matching(pattern: string): readonly string[] {
    if (!/[*?[\]]/.test(pattern)) return [pattern];
    const matches = nameMatcher(pattern);
    const names = [...this.#config.groups, ...this.#config.targets].map(({ name }) => name);
    const found = matches ? names.filter(matches) : [];
    if (found.length === 0)
      throw bakeError('BAKE_TARGET_NOT_FOUND', `find targets matching "${pattern}": there are none`, {
        remedy: this.#known(),
      });
    return found;
  }

  #members(
    name: string,
    visited = new Map<string, { targets: string[]; groups: string[] }>(),
  ): {
    readonly targets: readonly string[];
    readonly groups: readonly string[];
  } {
    const before = visited.get(name);
    if (before) return before;
    const group = this.#config.groups.find((one) => one.name === name);
    if (!group) return { targets: [name], groups: [] };
    const found = { targets: [] as string[], groups: [name] };
    visited.set(name, { targets: [], groups: [] });
    for (const each of group.targets) {
      const inner = this.#members(each, visited);
      found.targets.push(...(inner.targets.length > 0 ? inner.targets : [each]));
      found.groups.push(...inner.groups);
    }
    visited.set(name, found);
    return { targets: [...new Set(found.targets)], groups: [...new Set(found.groups)] };
  }

  #resolved(name: string): Target {
    const target = { ...this.#target(name, new Map()), name };
    delete target.inherits;
    target.context = this.#remote ? (target.context ?? '.') : cleaned(target.context ?? '.');
    if (target.dockerfile === undefined || target.dockerfile === '') target.dockerfile = 'Dockerfile';
    return target;
  }

  /** A target with what it inherits below; in a circle of them what is not known yet is left out, as buildx does. */
  #target(name: string, visited: Map<string, Target | undefined>): Target | undefined {
    if (visited.has(name)) return visited.get(name);
    visited.set(name, undefined);
    const own = this.#config.targets.find((one) => one.name === name);
    if (!own) throw this.#missing(name);
    const merged: Target = { name };
    for (const parent of own.inherits ?? []) {
      const found = this.#target(parent, visited);
      if (found) mergeInto(merged, found);
    }
    mergeInto(merged, own);
    applyOverrides(merged, this.#overrides.get(name) ?? new Map());
    normalize(merged);
    visited.set(name, merged);
    return merged;
  }

  /** Targets that are contexts of this one come along, not written anywhere. */
  #link(
    name: string,
    target: Target,
    o: { readonly targets: Map<string, Target>; readonly visited: readonly string[] },
  ): void {
    const visited = [...o.visited, name];
    for (const value of target.contexts?.values() ?? []) {
      if (!value.startsWith('target:')) continue;
      const other = value.slice('target:'.length);
      if (other === name) throw bakeError('BAKE_INVALID', `resolve target "${name}": it cannot be its own context`);
      if (visited.includes(other))
        throw bakeError(
          'BAKE_INVALID',
          `resolve target "${name}": its contexts lead in a circle: ${[...visited, other].join(' → ')}`,
        );
      let linked = o.targets.get(other);
      if (!linked) {
        linked = { ...this.#resolved(other), output: [{ type: 'cacheonly', attributes: new Map() }], linked: true };
        o.targets.set(other, linked);
      }
      this.#link(other, linked, { targets: o.targets, visited });
      const granted = [...new Set([...(target.entitlements ?? []), ...(linked.entitlements ?? [])])];
      if (granted.length > 0) target.entitlements = granted;
      const [mine, theirs] = [target.platforms ?? [], linked.platforms ?? []];
      if (mine.length > 1 && theirs.length > 1 && mine.some((platform) => !theirs.includes(platform)))
        throw bakeError(
          'BAKE_INVALID',
          `resolve target "${name}": target "${other}" is its context but is not for all of its platforms: ${mine.join(', ')} are not among ${theirs.join(', ')}`,
          { remedy: `Add the platforms to "${other}".` },
        );
    }
  }

  #missing(name: string): Error {
    const names = [...this.#config.targets, ...this.#config.groups].map((one) => one.name);
    const near = names.find((one) => editDistance(one, name) <= Math.max(1, Math.floor(one.length / 3)));
    if (name === 'default')
      return bakeError(
        'BAKE_TARGET_NOT_FOUND',
        'find target "default": the files define neither a target nor a group of this name',
        {
          remedy: this.#known(),
        },
      );
    return bakeError('BAKE_TARGET_NOT_FOUND', `find target "${name}": the files define none of this name`, {
      remedy: near === undefined ? this.#known() : `Did you mean "${near}"?`,
    });
  }

  #known(): string {
    const names = [...this.#config.targets, ...this.#config.groups].map(({ name }) => name).sort(compareText);
    if (names.length === 0) return 'Define one: target "default" { … }.';
    return `Name one of: ${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : ''}.`;
  }
}

/** A folder as Go's path.Clean has it; addresses stay as they are. `cwd://` is the working folder. */
function cleaned(context: string): string {
  const path = context.startsWith('cwd://') ? context.slice('cwd://'.length) : context;
  return isRemote(path) ? path : posix.normalize(path === '' ? '.' : path).replace(/(?<=.)\/$/, '');
}
