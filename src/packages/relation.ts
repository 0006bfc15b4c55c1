import type { VersionRelation } from './version.ts';

/** One package named in a relationship field (deb-control / Policy 7.1). */
export interface Relation {
  readonly name: string;
  /** Architecture qualifier after the name: `any`, `native` or an architecture. */
  readonly qualifier?: string | undefined;
  readonly version?: { readonly relation: VersionRelation; readonly version: string } | undefined;
}

/** Alternatives, the preferred first; one must hold. */
export type RelationGroup = readonly Relation[];

/** The groups of a Depends-like field. What does not parse as a relation is left out, as dpkg would have refused the package. */
export function parseRelations(field: string | undefined): RelationGroup[] {
  if (field === undefined || field === '') return [];
  const groups: RelationGroup[] = [];
  for (const part of field.split(',')) {
    const group: Relation[] = [];
    for (const alternative of part.split('|')) {
      const relation = parseRelation(alternative);
      if (relation) group.push(relation);
    }
    if (group.length > 0) groups.push(group);
  }
  return groups;
}

/** `name`, `name:any (>= 1.0)`, ... as it was written, with one blank between its parts. */
export function relationText(relation: Relation): string {
  const name = relation.qualifier === undefined ? relation.name : `${relation.name}:${relation.qualifier}`;
  return relation.version ? `${name} (${relation.version.relation} ${relation.version.version})` : name;
}

export function groupText(group: RelationGroup): string {
  return group.map(relationText).join(' | ');
}

const SHAPE = /^\s*([^\s:([<]+)(?::([^\s([<]+))?\s*(?:\(\s*(<<|<=|=|>=|>>|<|>)\s*([^\s)]+)\s*\))?/;

function parseRelation(text: string): Relation | undefined {
  const match = SHAPE.exec(text);
  if (!match?.[1]) return undefined;
  const [, name, qualifier, relation, version] = match;
  return {
    name,
    ...(qualifier === undefined ? {} : { qualifier }),
    ...(relation === undefined || version === undefined ? {} : { version: { relation: strict(relation), version } }),
  };
}

/** The obsolete `<` and `>` mean "or equal" (Policy 7.1). */
function strict(relation: string): VersionRelation {
  return relation === '<' ? '<=' : relation === '>' ? '>=' : (relation as VersionRelation);
}
