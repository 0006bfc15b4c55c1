import type { ModuleId } from './types.ts';

const RESERVED: ReadonlySet<string> = new Set(['app', 'config', 'generated', 'sbom']);

/** The id as the name of a folder: `/` becomes `_`. */
export const escapeId = (id: string): string => id.replaceAll('/', '_');

/** `buildpack samples/java@0.0.1`: names one version of a module in messages and in tables. */
export const moduleKey = (module: ModuleId): string => `${module.kind} ${module.id}@${module.version}`;

/**
 * What is wrong with an id of a buildpack or extension (buildpack.md, buildpack.toml), or undefined. `_` is no character of the specification, but buildpacks out there have it.
 */
export function idProblem(id: string): string | undefined {
  if (id === '') return 'it is empty';
  if (RESERVED.has(id)) return 'the name is reserved';
  if (!/^[A-Za-z0-9._/-]+$/.test(id)) return 'only letters, digits, ".", "/" and "-" may be in it';
  if (id.split('/').some((part) => part === '' || part === '.' || part === '..')) return 'it is no plain path';
  return undefined;
}

/** What is wrong with a version by the specification (`X.Y.Z`, no leading zeros), or undefined: for modules that strake makes. */
export function versionProblem(version: string): string | undefined {
  return /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)$/.test(version)
    ? undefined
    : 'it must be three numbers without leading zeros, as "1.20.3"';
}

/** What is wrong with a version that somebody else made, which the lifecycle would take: it becomes the name of a folder. */
export function foreignVersionProblem(version: string): string | undefined {
  return /^[A-Za-z0-9][A-Za-z0-9._+~-]*$/.test(version)
    ? undefined
    : 'only letters, digits, ".", "-", "_", "+" and "~" may be in it';
}

/** What is wrong with the name of an execution environment, or undefined. */
export function execEnvProblem(name: string): string | undefined {
  return /^[A-Za-z0-9.-]+$/.test(name) ? undefined : 'only letters, digits, "." and "-" may be in it';
}

/** An entity that lists these execution environments is for `current`. */
export const forExecEnv = (list: readonly string[], current: string): boolean =>
  list.length === 0 || list.includes('*') || list.includes(current);

/** Where a module lies in a builder or buildpackage: `/cnb/buildpacks/<id>/<version>` (distribution.md). */
export const moduleFolder = ({ kind, id, version }: ModuleId): string => `/cnb/${kind}s/${escapeId(id)}/${version}`;
