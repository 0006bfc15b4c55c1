import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { hasErrno, reasonOf } from '../../../base/index.ts';
import {
  bakeError,
  canonicalAttest,
  DEFAULT_FILES,
  isRemote,
  readBake,
  resolveTargets,
  type BakeFile,
  type Config,
  type Resolved,
} from '../../../bake/index.ts';
import { formatPlatform, hostPlatform } from '../../../image/index.ts';
import { usage } from '../errors.ts';
import { markFailure } from '../run-cli.ts';
import type { CliContext } from '../command.ts';
import { readAll } from '../prompt.ts';
import type { Call } from '../check/call.ts';
import type { BakeFlags } from './flags.ts';
import { inRemote, remoteFiles } from './remote-definition.ts';

/** What the files of a `strake bake` say. */
export interface Definition {
  readonly config: Config;
  /** The targets that were asked for. Throws the errors of `bake`. */
  resolve(o: { readonly call: Call | undefined }): Resolved;
}

/** Reads the files that flags, environment or the folder name. Throws `BAKE_NO_FILE` and the errors of `bake` and `hcl`; their lines can be quoted. */
export async function findDefinition(words: readonly string[], flags: BakeFlags, c: CliContext): Promise<Definition> {
  const { io } = c;
  const { url, context, wanted } = placesOf(words);
  const files = await filesOf(flags, c, url);
  const texts = new Map(files.map(({ name, text }) => [name, text] as const));
  const native = formatPlatform(hostPlatform(process));
  try {
    const config = await readBake(files, {
      env: io.env,
      vars: variablesOf(flags.var),
      builtins: new Map([
        ['BAKE_CMD_CONTEXT', context],
        ['BAKE_LOCAL_PLATFORM', native],
      ]),
      world: { clock: io.clock, random: io.random, home: io.home },
      readText: (path) => readOptional(resolve(io.cwd, path)),
    });
    for (const { message, place, remedy } of config.warnings)
      io.stderr.write(
        `${io.errStyle.yellow('warning')}: ${place.file}:${place.line}:${place.column ?? 1}: ${message}${remedy === undefined ? '' : ` (${remedy.replace(/\.$/, '')})`}\n`,
      );
    return {
      config,
      resolve: ({ call }) => {
        const overrides = [...flags.set, ...overridesOf(flags, call)];
        const resolved = resolveTargets(config, {
          wanted: wanted.length > 0 ? wanted : ['default'],
          overrides,
          env: io.env,
          remote: url !== undefined,
        });
        return url === undefined ? resolved : inRemote(resolved, url);
      },
    };
  } catch (error) {
    markFailure(error, { source: (file) => texts.get(file) });
    throw error;
  }
}

/** `--push`, `--no-cache` and the like are overrides of all targets (buildx, runBake). */
function overridesOf(flags: BakeFlags, call: Call | undefined): readonly string[] {
  return [
    ...(flags.push === true ? ['*.push=true'] : []),
    ...(flags.load === true ? ['*.load=true'] : []),
    ...(call ? [`*.call=${call.request.replace(/^frontend\./, '')}`] : []),
    ...(flags.cache ? [] : ['*.no-cache=true']),
    ...(flags.pull === true ? ['*.pull=true'] : []),
    ...(flags.sbom === undefined ? [] : [`*.attest=${canonicalAttest('sbom', flags.sbom)}`]),
    ...(flags.provenance === undefined ? [] : [`*.attest=${canonicalAttest('provenance', flags.provenance)}`]),
  ];
}

function variablesOf(texts: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const text of texts) {
    const equals = text.indexOf('=');
    if (equals <= 0)
      throw usage(
        `read --var "${text}": ${equals < 0 ? 'there is no "="' : 'the name is missing'}`,
        'Write --var name=value.',
      );
    found.set(text.slice(0, equals), text.slice(equals + 1));
  }
  return found;
}

/** A repository or address first: the definition is there. Another one after it is what BAKE_CMD_CONTEXT says. */
function placesOf(words: readonly string[]): {
  readonly url: string | undefined;
  readonly context: string;
  readonly wanted: readonly string[];
} {
  const [url, context, ...rest] = words;
  if (url === undefined || !isRemote(url)) return { url: undefined, context: 'cwd://', wanted: words };
  if (context === undefined || !isRemote(context)) return { url, context: 'cwd://', wanted: words.slice(1) };
  return { url, context, wanted: rest };
}

async function filesOf(flags: BakeFlags, c: CliContext, url: string | undefined): Promise<readonly BakeFile[]> {
  const { io, signal } = c;
  const named = flags.file.length > 0 ? flags.file : namedByEnvironment(io.env);
  if (url !== undefined) {
    const local = named.filter((name) => name.startsWith('cwd://'));
    const there = await remoteFiles(
      url,
      named.filter((name) => !name.startsWith('cwd://')),
      c,
    );
    return [...there, ...local.map((name) => ({ name, text: readNamed(name.slice('cwd://'.length), io.cwd) }))];
  }
  if (named.length === 0)
    return DEFAULT_FILES.flatMap((name) => {
      const text = readOptional(join(io.cwd, name));
      return text === undefined ? [] : [{ name, text }];
    });
  const found: BakeFile[] = [];
  for (const given of named) {
    const name = given.replace(/^cwd:\/\//, '');
    found.push({ name, text: name === '-' ? await readAll(io, { signal }) : readNamed(name, io.cwd) });
  }
  return found;
}

function namedByEnvironment(env: CliContext['io']['env']): readonly string[] {
  const separator = env['BUILDX_BAKE_PATH_SEPARATOR'] || ':';
  const names = (env['BUILDX_BAKE_FILE'] ?? '').split(separator).map((name) => name.trim());
  return names.filter((name) => name !== '');
}

function readNamed(name: string, cwd: string): string {
  try {
    return readFileSync(resolve(cwd, name), 'utf8');
  } catch (error) {
    throw bakeError('BAKE_NO_FILE', `read bake file "${name}": ${reasonOf(error)}`, {
      remedy: 'Name a file that is there with -f.',
      cause: error,
    });
  }
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) return undefined;
    throw error;
  }
}
