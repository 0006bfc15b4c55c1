import { parseHcl, parseHclJson, type BlockSchema, type Body, type FunctionWorld } from '../hcl/index.ts';
import { isCompose, readCompose, type ComposeOptions } from './compose.ts';
import { readDefinition, type Config } from './definition.ts';
import { parseDotenv } from './dotenv.ts';
import { bakeError } from './errors.ts';
import type { Group, Target } from './target.ts';

/** Looked for in this order where no file is named; later ones go over earlier ones. */
export const DEFAULT_FILES: readonly string[] = [
  'compose.yaml',
  'compose.yml',
  'docker-compose.yml',
  'docker-compose.yaml',
  'docker-bake.json',
  'docker-bake.hcl',
  'docker-bake.override.json',
  'docker-bake.override.hcl',
];

export interface BakeFile {
  /** As it was named; `-` is standard input. */
  readonly name: string;
  readonly text: string;
}

export interface ReadOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `--var`, which goes before the environment. */
  readonly vars: ReadonlyMap<string, string>;
  /** BAKE_CMD_CONTEXT and BAKE_LOCAL_PLATFORM. */
  readonly builtins: ReadonlyMap<string, string>;
  readonly world: FunctionWorld;
  /** A file's text by its path below the working folder (`.env`, env files); undefined for one that is not there. */
  readonly readText: (path: string) => string | undefined;
}

const BLOCKS: BlockSchema = {
  target: { labels: 1 },
  group: { labels: 1 },
  variable: { labels: 1, blocks: { validation: { labels: 0 } } },
  function: { labels: 1 },
};

/** Reads bake and compose files as one definition: compose files first, then HCL and JSON, each over those before it. Throws the errors of `hcl`, `BAKE_COMPOSE`, `BAKE_INVALID`, `INVALID_YAML`. */
export async function readBake(files: readonly BakeFile[], o: ReadOptions): Promise<Config> {
  if (files.length === 0)
    throw bakeError('BAKE_NO_FILE', 'find a bake file: there is none here', {
      remedy: `Name one with -f, or write one of: ${DEFAULT_FILES.join(', ')}.`,
    });
  const env =
    o.env['BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP'] === '1' || o.env['BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP'] === 'true'
      ? {}
      : o.env;
  const compose: ComposeOptions = { env: composeEnvironment(env, o), readText: o.readText };
  const composed: BakeFile[] = [];
  const bodies: Body[] = [];
  for (const file of files) {
    const lower = file.name.toLowerCase();
    const named = /\.(ya?ml)$/.test(lower);
    if (named || (!/\.(json|hcl)$/.test(lower) && (await isCompose(file.text, compose)))) composed.push(file);
    else bodies.push(parseBody(file));
  }
  const before: { groups: readonly Group[]; targets: readonly Target[] } =
    composed.length > 0 ? await readCompose(composed, compose) : { groups: [], targets: [] };
  if (bodies.length === 0) return { ...before, variables: [], warnings: [] };
  const given = (name: string): string | undefined => o.vars.get(name) ?? env[name];
  return readDefinition(bodies, { given, builtins: o.builtins, world: o.world }, before);
}

/** By its name, or, where that does not say, whatever it can be read as. */
function parseBody({ name, text }: BakeFile): Body {
  if (name.endsWith('.json')) return parseHclJson(text, name, BLOCKS);
  if (name.endsWith('.hcl')) return parseHcl(text, name);
  try {
    return parseHcl(text, name);
  } catch (error) {
    try {
      return parseHclJson(text, name, BLOCKS);
    } catch (other) {
      throw text.trimStart().startsWith('{') ? other : error;
    }
  }
}

/** The environment, then `.env` of the working folder for what is not set; `--var` over both. */
function composeEnvironment(env: ReadOptions['env'], o: ReadOptions): ReadonlyMap<string, string> {
  const found = new Map(
    Object.entries(env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])),
  );
  const text = o.readText('.env');
  if (text !== undefined)
    for (const [key, value] of parseDotenv(text, '.env', (name) => found.get(name)))
      if (!found.has(key)) found.set(key, value);
  for (const [key, value] of o.vars) found.set(key, value);
  return found;
}
