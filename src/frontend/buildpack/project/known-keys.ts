import type { TomlTable } from '../model/index.ts';
import type { ProjectSchema } from './project.ts';

/** What a table may hold: a value of any kind (also whole tables of the user's), or another table, or a list of such. */
type Shape = { readonly [key: string]: true | Shape };

const ABOUT: Shape = {
  id: true,
  name: true,
  version: true,
  authors: true,
  'documentation-url': true,
  'source-url': true,
  licenses: { type: true, uri: true },
};
const MODULE: Shape = { id: true, version: true, uri: true, script: { api: true, inline: true, shell: true } };
const VARIABLE: Shape = { name: true, value: true };
const MODULE_FOR: Shape = { ...MODULE, 'exec-env': true };
const OWN: Shape = { ...ABOUT, 'schema-version': true, metadata: true };
const later = (module: Shape, variable: Shape, more: Shape): Shape => ({
  _: OWN,
  io: {
    buildpacks: {
      builder: true,
      include: true,
      exclude: true,
      group: module,
      pre: { group: module },
      post: { group: module },
      build: { env: variable },
      ...more,
    },
  },
});

const KNOWN: Readonly<Record<ProjectSchema, Shape>> = {
  '0.1': {
    _: { 'schema-version': true },
    project: ABOUT,
    metadata: true,
    build: {
      builder: true,
      include: true,
      exclude: true,
      buildpacks: MODULE,
      env: VARIABLE,
      pre: { group: MODULE },
      post: { group: MODULE },
    },
  },
  '0.2': later(MODULE, VARIABLE, { env: { build: VARIABLE } }),
  '0.3': later(MODULE_FOR, { ...VARIABLE, 'exec-env': true }, {}),
};

/** Keys of the tables that belong to buildpacks, and are not in this version of the schema; a table that is not known is named, not what is in it. Tables of other tools are theirs. */
export function unknownKeys(top: TomlTable, schema: ProjectSchema): string[] {
  const ours =
    schema === '0.1'
      ? (key: string) => /^(?:project|build)\./.test(key) || key.includes('io.buildpacks')
      : (key: string) => key.includes('io.buildpacks') || key.startsWith('_.');
  const found = new Set<string>();
  const visit = (value: unknown, shape: Shape, path: readonly string[]): void => {
    if (Array.isArray(value)) for (const item of value) visit(item, shape, path);
    else if (typeof value === 'object' && value !== null)
      for (const [key, member] of Object.entries(value)) {
        const at = [...path, key];
        const known = Object.hasOwn(shape, key) ? shape[key] : undefined;
        if (known === undefined) collect(member, at);
        else if (known !== true) visit(member, known, at);
      }
  };
  /** The highest key that is ours. */
  const collect = (value: unknown, path: readonly string[]): void => {
    const name = path.join('.');
    if (ours(name)) found.add(name);
    else if (typeof value === 'object' && value !== null && !Array.isArray(value))
      for (const [key, member] of Object.entries(value)) collect(member, [...path, key]);
  };
  visit(Object.fromEntries(top.keys().map((key) => [key, top.raw(key)])), KNOWN[schema], []);
  return [...found];
}
