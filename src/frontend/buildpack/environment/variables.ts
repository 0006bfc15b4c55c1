import { buildpackError } from '../errors.ts';
import type { Wait } from '../../../base/index.ts';
import type { Files } from '../model/types.ts';

/** Environment variables by name. */
export type Variables = ReadonlyMap<string, string>;

/** A file of an `env` folder: its whole name, and what it holds. */
export interface EnvFile {
  readonly name: string;
  readonly value: string;
}

/** What a file without a suffix does: `override` in a layer, `default` in the operator's folder. */
export type DefaultAction = 'override' | 'default';

/** The folders of a layer and the variables that they go before. */
const ROOT_FOLDERS: readonly (readonly [string, readonly string[]])[] = [
  ['bin', ['PATH']],
  ['include', ['CPATH']],
  ['lib', ['LD_LIBRARY_PATH', 'LIBRARY_PATH']],
  ['pkgconfig', ['PKG_CONFIG_PATH']],
];

const PATH_VARIABLES: ReadonlySet<string> = new Set(ROOT_FOLDERS.flatMap(([, names]) => names));

/** What of the build container's own environment a buildpack sees. */
const INHERITED: ReadonlySet<string> = new Set([
  ...PATH_VARIABLES,
  'CNB_STACK_ID',
  'HOME',
  'HOSTNAME',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
]);

/** The variables of the build container (`NAME=value`) that buildpacks see: nothing else of it reaches them. */
export function baseVariables(environment: readonly string[]): Variables {
  const variables = new Map<string, string>();
  for (const line of environment) {
    const at = line.indexOf('=');
    if (at > 0 && INHERITED.has(line.slice(0, at))) variables.set(line.slice(0, at), line.slice(at + 1));
  }
  return variables;
}

/**
 * The files of an `env` folder in the order of their names: only what is a file, or a link to one. Empty where there is no folder. Throws CNB_FILE_INVALID for a value with a NUL byte.
 */
export async function readEnvFolder(files: Files, path: string, w: Wait = {}): Promise<readonly EnvFile[]> {
  const found: EnvFile[] = [];
  for (const entry of await files.list(path, w)) {
    if (entry.type !== 'file' && entry.type !== 'symlink' && entry.type !== 'hardlink') continue;
    const name = entry.path.slice(entry.path.lastIndexOf('/') + 1);
    const content = await files.read(`${path}/${name}`, w);
    if (content === undefined) continue;
    if (content.includes(0))
      throw buildpackError('CNB_FILE_INVALID', `read "${path}/${name}": it has a NUL byte, which no variable can hold`);
    found.push({ name, value: new TextDecoder('utf-8', { ignoreBOM: true }).decode(content) });
  }
  return found;
}

/**
 * The modification rules (buildpack.md, Environment Variable Modification Rules): the name goes up to the first `.`, the rest is what is done. `delim` of the same folder stands between the values of
 * `prepend` and `append`. What is of another suffix is passed over.
 */
export function applyEnvFiles(
  variables: Variables,
  o: { files: readonly EnvFile[]; default: DefaultAction },
): Variables {
  const result = new Map(variables);
  for (const file of o.files) {
    const dot = file.name.indexOf('.');
    const name = dot === -1 ? file.name : file.name.slice(0, dot);
    if (name === '' || name.includes('=')) continue;
    const action = dot === -1 ? o.default : file.name.slice(dot + 1);
    const old = result.get(name) ?? '';
    const delimiter = old === '' ? '' : (o.files.find((other) => other.name === `${name}.delim`)?.value ?? '');
    if (action === 'override') result.set(name, file.value);
    else if (action === 'prepend') result.set(name, file.value + delimiter + old);
    else if (action === 'append') result.set(name, old + delimiter + file.value);
    else if (action === 'default' && old === '') result.set(name, file.value);
  }
  return result;
}

/** Variables that the user gave (files of `<platform>/env`, whole names, contents as they are): paths go before what is there, all others replace it. */
export function applyUserFiles(variables: Variables, files: readonly EnvFile[]): Variables {
  const result = new Map(variables);
  for (const { name, value } of files) {
    if (name === '' || name.includes('=')) continue;
    const old = result.get(name) ?? '';
    result.set(name, PATH_VARIABLES.has(name) && old !== '' ? `${value}:${old}` : value);
  }
  return result;
}

/** Puts the folders that a build layer has (`bin`, `lib`, `include`, `pkgconfig`) before the variables that name such. */
export async function addRootFolders(
  variables: Variables,
  o: { files: Files; layer: string } & Wait,
): Promise<Variables> {
  const result = new Map(variables);
  const names = new Set((await o.files.list(o.layer, o)).map(({ path }) => path.slice(path.lastIndexOf('/') + 1)));
  for (const [folder, targets] of ROOT_FOLDERS) {
    if (!names.has(folder)) continue;
    for (const name of targets) {
      const old = result.get(name) ?? '';
      result.set(name, old === '' ? `${o.layer}/${folder}` : `${o.layer}/${folder}:${old}`);
    }
  }
  return result;
}
