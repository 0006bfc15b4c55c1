import { execEnvProblem, forExecEnv, idProblem, parseApi, TomlTable } from '../model/index.ts';
import type { ApiVersion, Table } from '../model/types.ts';
import { unknownKeys } from './known-keys.ts';

export type ProjectSchema = '0.1' | '0.2' | '0.3';

/** What a project.toml says, whatever its version. */
export interface ProjectDescriptor {
  readonly schema: ProjectSchema;
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  readonly authors: readonly string[];
  readonly documentationUrl?: string | undefined;
  readonly sourceUrl?: string | undefined;
  readonly licenses: readonly { readonly type?: string | undefined; readonly uri?: string | undefined }[];
  readonly metadata: Table;
  readonly builder?: string | undefined;
  /** As in .gitignore files; one of the two at most. Empty: everything. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** The buildpacks to build with instead of the builder's order, and those around each of its groups. */
  readonly group: readonly ProjectModule[];
  readonly pre: readonly ProjectModule[];
  readonly post: readonly ProjectModule[];
  readonly env: readonly ProjectVariable[];
}

/** A buildpack by its id, by where it is, or as a script. */
export interface ProjectModule {
  readonly id?: string | undefined;
  readonly version?: string | undefined;
  /** Relative paths are relative to the folder of project.toml. */
  readonly uri?: string | undefined;
  readonly script?: ProjectScript | undefined;
  /** Empty: any. */
  readonly execEnv: readonly string[];
}

export interface ProjectScript {
  readonly api: ApiVersion;
  readonly inline: string;
  readonly shell: string;
}

export interface ProjectVariable {
  readonly name: string;
  readonly value: string;
  readonly execEnv: readonly string[];
}

/**
 * Reads a project.toml of schema 0.1, 0.2 or 0.3 (extensions/project-descriptor.md; pack pkg/project). `warnings`: no version is said, and keys that the version does not know. Throws `CNB_FILE_INVALID` with file and
 * line, `INVALID_TOML`.
 */
export function parseProject(text: string, file: string): { project: ProjectDescriptor; warnings: readonly string[] } {
  const top = TomlTable.parse(text, file);
  const warnings: string[] = [];
  const said = top.table('_').text('schema-version');
  if (said === undefined || said === '')
    warnings.push(`No schema version declared in ${file}, defaulting to schema version 0.1`);
  const schema = said || '0.1';
  if (!isSchema(schema))
    throw top
      .table('_')
      .fail(
        'schema-version',
        `is "${schema}": unknown project descriptor schema version`,
        'Write "0.1", "0.2" or "0.3".',
      );
  const unknown = unknownKeys(top, schema);
  if (unknown.length > 0)
    warnings.push(
      `The following keys declared in ${file} are not supported in schema version ${schema} and are ignored: ${unknown.join(', ')}`,
    );
  return { project: schema === '0.1' ? readFirst(top) : readLater(top, schema), warnings };
}

/** What of a project is for an execution environment. */
export function projectFor(project: ProjectDescriptor, execEnv: string): ProjectDescriptor {
  const fits = ({ execEnv: list }: { readonly execEnv: readonly string[] }): boolean => forExecEnv(list, execEnv);
  return {
    ...project,
    group: project.group.filter(fits),
    pre: project.pre.filter(fits),
    post: project.post.filter(fits),
    env: project.env.filter(fits),
  };
}

function isSchema(text: string): text is ProjectSchema {
  return text === '0.1' || text === '0.2' || text === '0.3';
}

function readFirst(top: TomlTable): ProjectDescriptor {
  const build = top.table('build');
  return {
    schema: '0.1',
    ...about(top.table('project')),
    metadata: top.free('metadata'),
    ...files(build),
    builder: build.text('builder'),
    group: modules(build, 'buildpacks', '0.1'),
    pre: modules(build.table('pre'), 'group', '0.1'),
    post: modules(build.table('post'), 'group', '0.1'),
    env: variables(build, 'env', '0.1'),
  };
}

function readLater(top: TomlTable, schema: '0.2' | '0.3'): ProjectDescriptor {
  const own = top.table('_');
  const buildpacks = top.table('io').table('buildpacks');
  const build = buildpacks.table('build');
  const legacy = schema === '0.2' && !build.has('env');
  return {
    schema,
    ...about(own),
    metadata: own.free('metadata'),
    ...files(buildpacks),
    builder: buildpacks.text('builder'),
    group: modules(buildpacks, 'group', schema),
    pre: modules(buildpacks.table('pre'), 'group', schema),
    post: modules(buildpacks.table('post'), 'group', schema),
    // Written so before pack 0.27, and still read.
    env: legacy ? variables(buildpacks.table('env'), 'build', schema) : variables(build, 'env', schema),
  };
}

function about(
  table: TomlTable,
): Pick<ProjectDescriptor, 'id' | 'name' | 'version' | 'authors' | 'documentationUrl' | 'sourceUrl' | 'licenses'> {
  return {
    id: table.text('id'),
    name: table.text('name'),
    version: table.text('version'),
    authors: table.list('authors'),
    documentationUrl: table.text('documentation-url'),
    sourceUrl: table.text('source-url'),
    licenses: table.tables('licenses').map((license) => {
      const [type, uri] = [license.text('type'), license.text('uri')];
      if (!type && !uri) throw license.fail('type', 'is missing: a license must have a type or uri');
      return { type, uri };
    }),
  };
}

function files(table: TomlTable): Pick<ProjectDescriptor, 'include' | 'exclude'> {
  if (table.has('include') && table.has('exclude'))
    throw table.fail('exclude', 'stands beside "include": there cannot be both', 'Say what to take, or what to leave.');
  return { include: table.list('include'), exclude: table.list('exclude') };
}

function modules(table: TomlTable, key: string, schema: ProjectSchema): ProjectModule[] {
  return table.tables(key).map((entry) => {
    const [id, version, uri] = ['id', 'version', 'uri'].map((name) => entry.text(name) || undefined);
    if (id === undefined && uri === undefined) throw entry.fail('id', 'is missing: a buildpack must have an id or uri');
    if (uri !== undefined && version !== undefined)
      throw entry.fail('version', 'stands beside "uri": a buildpack cannot have both uri and version');
    const execEnv = envs(entry, schema);
    const script = entry.table('script');
    // What has a place is taken from there.
    if (uri !== undefined || !script.text('inline')) return { id, version, uri, execEnv };
    const problem = id === undefined ? 'it is missing' : idProblem(id);
    if (problem !== undefined) throw entry.fail('id', `is no id for an inline buildpack: ${problem}`);
    const api = parseApi(script.need('api'));
    if (api === undefined) throw script.fail('api', 'is no version of the Buildpack API', 'Write one such as "0.10".');
    return {
      id,
      version,
      script: { api, inline: script.need('inline'), shell: script.text('shell') || '/bin/sh' },
      execEnv,
    };
  });
}

function variables(table: TomlTable, key: string, schema: ProjectSchema): ProjectVariable[] {
  return table.tables(key).map((entry) => {
    const name = entry.need('name');
    if (name.includes('=') || name.includes('\0')) throw entry.fail('name', 'is no name of a variable');
    return { name, value: entry.text('value') ?? '', execEnv: envs(entry, schema) };
  });
}

/** Schema 0.3 alone has execution environments. */
function envs(entry: TomlTable, schema: ProjectSchema): readonly string[] {
  if (schema !== '0.3') return [];
  const list = entry.list('exec-env');
  for (const name of list) {
    const problem = name === '*' ? undefined : execEnvProblem(name);
    if (problem !== undefined)
      throw entry.fail('exec-env', `has "${name}": ${problem}`, 'Write names such as "test" and "production", or "*".');
  }
  return list;
}
