import { packagesError } from './errors.ts';
import type { PackageIndex, PackageRecord } from './package-index.ts';
import { groupText, parseRelations, relationText, type Relation, type RelationGroup } from './relation.ts';
import { compareVersions, satisfiesVersion } from './version.ts';

/** A package that was chosen, and why. */
export interface Chosen {
  readonly record: PackageRecord;
  /** Number of the index it comes from. */
  readonly index: number;
  /** Only there because something else needs it. */
  readonly auto: boolean;
  /** Part of the base system: essential, of priority required, the package manager, or needed by one of these. */
  readonly base: boolean;
}

export interface ResolveOptions {
  /** Wanted on top of the base system: `name` or `name=version`. */
  readonly packages: readonly string[];
  /** Debian's name of the architecture. */
  readonly architecture: string;
  /** Alternatives taken wherever they are among several, whatever their place. */
  readonly prefer?: readonly string[] | undefined;
  /** What the base system is besides essential and required packages. */
  readonly base?: readonly string[] | undefined;
}

/**
 * The packages of a base: all that are essential or of priority required, apt, those asked for, and what these need by Pre-Depends and Depends; no Recommends. Several indexes are one archive; the
 * highest version of a package wins. As apt does: a group is satisfied by what is chosen already, else by its first alternative that can be installed. Sorted by name.
 * Throws `PACKAGE_UNKNOWN`, `PACKAGE_VERSION_UNKNOWN`, `DEPENDENCY_UNMET`, `PACKAGE_CONFLICT`.
 */
export function resolvePackages(indexes: readonly PackageIndex[], o: ResolveOptions): Chosen[] {
  const resolver = new Resolver(indexes, o);
  const required = [...new Set(indexes.flatMap((index) => index.required))].sort();
  const roots = required.filter((name) => resolver.isRequired(name));
  const base = [...roots, ...(o.base ?? ['apt'])];
  const pinned = o.packages.map((request) => resolver.pin(request));
  for (const name of base) resolver.root(name, { base: true });
  for (const name of pinned) resolver.root(name, { base: false });
  return resolver.result();
}

interface Candidate {
  readonly record: PackageRecord;
  readonly index: number;
}

interface Refusal {
  readonly by: Selected;
  readonly field: 'conflicts' | 'breaks';
  readonly relation: Relation;
}

interface Selected extends Candidate {
  auto: boolean;
  readonly base: boolean;
}

const PRIORITIES = ['required', 'important', 'standard', 'optional', 'extra'];

class Resolver {
  readonly #indexes: readonly PackageIndex[];
  readonly #options: ResolveOptions;
  readonly #pins = new Map<string, string>();
  readonly #candidates = new Map<string, Candidate | undefined>();
  readonly #selected = new Map<string, Selected>();
  /** Name of a chosen package or of what one provides -> the chosen ones. */
  readonly #offered = new Map<string, Selected[]>();
  /** Name -> the chosen packages that must not be there with it, and how they say so. */
  readonly #refused = new Map<string, Refusal[]>();

  constructor(indexes: readonly PackageIndex[], options: ResolveOptions) {
    this.#indexes = indexes;
    this.#options = options;
  }

  /** Remembers the version asked for and gives the name back. */
  pin(request: string): string {
    const [name = '', version] = request.split('=', 2);
    if (version === undefined) return name;
    const versions = this.#versions(name);
    if (!versions.some(({ record }) => record.version === version))
      throw packagesError(
        'PACKAGE_VERSION_UNKNOWN',
        versions.length === 0
          ? `find package "${name}": the mirror has no such package`
          : `find version "${version}" of package "${name}": the mirror has ${versions.map(({ record }) => record.version).join(', ')}`,
      );
    this.#pins.set(name, version);
    return name;
  }

  isRequired(name: string): boolean {
    const record = this.#candidate(name)?.record;
    return record !== undefined && (record.essential || record.priority === 'required');
  }

  root(name: string, o: { base: boolean }): void {
    const candidate = this.#candidate(name) ?? this.#onlyProvider(name);
    if (!candidate) throw this.#unknown(name);
    const selected = this.#selected.get(candidate.record.name);
    if (selected) selected.auto = false;
    else {
      const problem = this.#conflict(candidate);
      if (problem !== undefined) throw packagesError('PACKAGE_CONFLICT', `install "${name}": ${problem}`);
      this.#select(candidate, { ...o, auto: false, chain: [] });
    }
  }

  result(): Chosen[] {
    for (const selected of this.#selected.values()) {
      const problem = this.#conflict(selected);
      if (problem !== undefined)
        throw packagesError('PACKAGE_CONFLICT', `install "${selected.record.name}": ${problem}`);
    }
    return [...this.#selected.values()]
      .map(({ record, index, auto, base }) => ({ record, index, auto, base }))
      .sort((a, b) => (a.record.name < b.record.name ? -1 : 1));
  }

  #select(candidate: Candidate, o: { auto: boolean; base: boolean; chain: readonly string[] }): void {
    const selected: Selected = { ...candidate, auto: o.auto, base: o.base };
    const { record } = candidate;
    this.#selected.set(record.name, selected);
    for (const name of new Set([record.name, ...parseRelations(record.provides).map(([first]) => first?.name ?? '')]))
      append(this.#offered, name, selected);
    for (const field of ['conflicts', 'breaks'] as const)
      for (const [relation] of parseRelations(record[field]))
        if (relation) append(this.#refused, relation.name, { by: selected, field, relation });
    const chain = [...o.chain, record.name];
    for (const group of [...parseRelations(record.preDepends), ...parseRelations(record.depends)])
      this.#satisfy(group, { base: o.base, chain });
  }

  #satisfy(group: RelationGroup, o: { base: boolean; chain: readonly string[] }): void {
    if (
      group.some((relation) =>
        (this.#offered.get(relation.name) ?? []).some(({ record }) => this.#meets(record, relation)),
      )
    )
      return;
    const problems: string[] = [];
    for (const relation of this.#ordered(group)) {
      const found = this.#solutions(relation);
      if (found.length === 0) problems.push(this.#missing(relation));
      for (const candidate of found) {
        const problem = this.#conflict(candidate);
        if (problem === undefined) {
          this.#select(candidate, { ...o, auto: true });
          return;
        }
        problems.push(problem);
      }
    }
    const conflicts =
      problems.length === 1 ? problems[0] : problems.map((problem, index) => `(${index + 1}) ${problem}`).join('; ');
    throw packagesError(
      'DEPENDENCY_UNMET',
      `install "${o.chain.join('" for "')}": needs ${groupText(group)}: ${conflicts}`,
    );
  }

  #ordered(group: RelationGroup): RelationGroup {
    const preferred = group.filter(
      ({ name }) => this.#options.prefer?.includes(name) === true && this.#candidate(name),
    );
    return [...preferred, ...group.filter((relation) => !preferred.includes(relation))];
  }

  /** What could satisfy a relation, the best first: the package of that name, then its providers by priority and name. */
  #solutions(relation: Relation): Candidate[] {
    const own = this.#candidate(relation.name);
    const direct = own && this.#meets(own.record, relation) ? [own] : [];
    const providers = new Map<string, Candidate>();
    for (const index of this.#indexes)
      for (const { name } of index.providing(relation.name)) {
        const candidate = this.#candidate(name);
        if (candidate && name !== relation.name && this.#meets(candidate.record, relation))
          providers.set(name, candidate);
      }
    return [...direct, ...[...providers.values()].sort(byPriority)];
  }

  #meets(record: PackageRecord, relation: Relation): boolean {
    if (relation.qualifier === 'any' && record.multiArch !== 'allowed') return false;
    if (![undefined, 'any', 'native', this.#options.architecture].includes(relation.qualifier)) return false;
    const { version } = relation;
    if (
      record.name === relation.name &&
      (!version || satisfiesVersion(record.version, version.relation, version.version))
    )
      return true;
    return parseRelations(record.provides).some(([provided]) => {
      if (provided?.name !== relation.name) return false;
      if (!version) return true;
      return (
        provided.version?.relation === '=' &&
        satisfiesVersion(provided.version.version, version.relation, version.version)
      );
    });
  }

  /** Why a package cannot stand beside those chosen. A package never conflicts with itself, whatever it provides. */
  #conflict(candidate: Candidate): string | undefined {
    const { record } = candidate;
    for (const field of ['conflicts', 'breaks'] as const)
      for (const [relation] of parseRelations(record[field])) {
        const other =
          relation &&
          (this.#offered.get(relation.name) ?? []).find((found) => this.#hits(record, found.record, relation));
        if (other) return conflictText(record, field, relation, other.record);
      }
    for (const name of [record.name, ...parseRelations(record.provides).map(([first]) => first?.name ?? '')])
      for (const { by, field, relation } of this.#refused.get(name) ?? [])
        if (this.#hits(by.record, record, relation)) return conflictText(by.record, field, relation, record);
    return undefined;
  }

  #hits(from: PackageRecord, to: PackageRecord, relation: Relation): boolean {
    return from.name !== to.name && this.#meets(to, { ...relation, qualifier: undefined });
  }

  #candidate(name: string): Candidate | undefined {
    if (this.#candidates.has(name)) return this.#candidates.get(name);
    const pinned = this.#pins.get(name);
    const versions = this.#versions(name).filter(({ record }) => pinned === undefined || record.version === pinned);
    let best: Candidate | undefined;
    for (const version of versions)
      if (!best || compareVersions(version.record.version, best.record.version) > 0) best = version;
    this.#candidates.set(name, best);
    return best;
  }

  #versions(name: string): Candidate[] {
    const { architecture } = this.#options;
    return this.#indexes.flatMap((index, number) =>
      index
        .named(name)
        .filter((record) => record.architecture === 'all' || record.architecture === architecture)
        .map((record) => ({ record, index: number })),
    );
  }

  #onlyProvider(name: string): Candidate | undefined {
    const providers = this.#solutions({ name });
    return providers.length === 1 ? providers[0] : undefined;
  }

  #unknown(name: string): Error {
    const providers = this.#solutions({ name }).map(({ record }) => record.name);
    return providers.length === 0
      ? packagesError('PACKAGE_UNKNOWN', `find package "${name}": the mirror has no such package`)
      : packagesError('PACKAGE_UNKNOWN', `find package "${name}": it is virtual`, {
          remedy: `Name one of ${providers.join(', ')}.`,
        });
  }

  #missing(relation: Relation): string {
    const record = this.#candidate(relation.name)?.record;
    return record
      ? `"${relationText(relation)}" is not what the mirror has, ${record.name} ${record.version}`
      : `the mirror has no "${relation.name}"`;
  }
}

function conflictText(
  from: PackageRecord,
  field: 'conflicts' | 'breaks',
  relation: Relation,
  to: PackageRecord,
): string {
  const verb = field === 'conflicts' ? 'conflicts with' : 'breaks';
  return `${from.name} ${from.version} ${verb} ${relationText(relation)}, and ${to.name} ${to.version} is chosen`;
}

function byPriority(a: Candidate, b: Candidate): number {
  const rank = ({ record }: Candidate): number =>
    record.essential ? -1 : PRIORITIES.indexOf(record.priority) + (PRIORITIES.includes(record.priority) ? 0 : 10);
  return rank(a) - rank(b) || (a.record.name < b.record.name ? -1 : 1);
}

function append<V>(map: Map<string, V[]>, key: string, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
