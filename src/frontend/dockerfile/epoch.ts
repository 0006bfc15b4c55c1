import type { Wait } from '../../base/index.ts';
import type { GitSource, HttpSource } from '../../graph/index.ts';
import type { FrontendHost } from '../index.ts';
import { namedContext } from './contexts.ts';
import { originsOf, type Origin } from './copy-origins.ts';
import type { Environment } from './environment.ts';
import { dockerfileError, located } from './errors.ts';
import { expand } from './expand.ts';
import type { Program, StageText } from './instruction.ts';
import { archiveTime, type MainContext } from './main-context.ts';
import type { StageSettings } from './stages.ts';

/** What SOURCE_DATE_EPOCH may refer to. */
export interface EpochScope extends Pick<StageSettings, 'options' | 'platform' | 'escape' | 'places'>, Wait {
  readonly globals: Environment;
  readonly program: Program;
  readonly main: MainContext;
  readonly host: FrontendHost;
}

/**
 * SOURCE_DATE_EPOCH in seconds, from the build arguments or a global ARG's default (facts 1.4): a number, or the time of what was fetched: `context`, a named context, or a stage that is FROM scratch and one remote ADD.
 * What has no time is as if the variable were not set. Throws `DOCKERFILE_OPTION` and what resolving the source throws.
 */
export async function readEpoch(scope: EpochScope): Promise<number | undefined> {
  const { options, globals } = scope;
  const text = options.buildArgs.get('SOURCE_DATE_EPOCH') ?? globals.get('SOURCE_DATE_EPOCH') ?? '';
  if (text === '') return undefined;
  if (/^[+-]?\d{1,15}$/.test(text)) return Number(text);
  const source = sourceOf(text, scope);
  if (source === undefined) return undefined;
  const { time } = await scope.host.resolve({ kind: 'source', source }, scope);
  return time ?? (source.type === 'http' ? archiveTime(source, scope.host, scope) : undefined);
}

function sourceOf(text: string, scope: EpochScope): GitSource | HttpSource | undefined {
  if (text === 'context') return scope.main.source;
  const context = contextFor(text, scope);
  if (context !== undefined) return context.kind === 'remote' ? context.source : undefined;
  const stage = scope.program.stages.find(({ from }) => from.alias === text.toLowerCase());
  if (stage !== undefined) return stageSource(stage, scope);
  throw dockerfileError('DOCKERFILE_OPTION', `invalid SOURCE_DATE_EPOCH: ${text}`, {
    remedy: 'Set it to a number of seconds since 1970, "context", a named context, or a stage.',
  });
}

function contextFor(text: string, { options, platform }: EpochScope): ReturnType<typeof namedContext> {
  if (options.contexts.size === 0) return undefined;
  try {
    return namedContext(options.contexts, text, platform);
  } catch {
    // Not a name that a context can have.
    return undefined;
  }
}

/** The one remote source of a stage that holds nothing else. */
function stageSource({ from, instructions }: StageText, scope: EpochScope): GitSource | HttpSource {
  const { escape, options, places } = scope;
  let env = scope.globals.without('SOURCE_DATE_EPOCH');
  let found: Origin | undefined;
  try {
    if (expand(from.base, env, { escape }).text !== 'scratch')
      throw wrong('SOURCE_DATE_EPOCH stage must use FROM scratch');
    for (const instruction of instructions) {
      if (instruction.kind === 'arg') {
        for (const { key, value } of instruction.args) {
          const set =
            options.buildArgs.get(key) ?? (value === undefined ? undefined : expand(value, env, { escape }).text);
          if (set !== undefined) env = env.with(key, set);
        }
        continue;
      }
      if (instruction.kind !== 'add')
        throw wrong(
          `SOURCE_DATE_EPOCH stage does not meet source-only requirements: unsupported ${instruction.name} instruction`,
        );
      if (found !== undefined || instruction.files.length > 0 || instruction.sources.length !== 1) throw wrong(ONE);
      const sources = instruction.sources.map((text) => expand(text, env, { escape }).text);
      [found] = originsOf(sources, expand(instruction.checksum, env, { escape }).text, instruction);
    }
    if (found?.kind === 'remote') return found.source;
    throw wrong(ONE);
  } catch (error) {
    throw located(error, places.place(from.range));
  }
}

const ONE = 'SOURCE_DATE_EPOCH stage must contain exactly one remote ADD source';

function wrong(message: string): Error {
  return dockerfileError('DOCKERFILE_OPTION', message, {
    remedy: 'Name a stage that is FROM scratch and one ADD of a repository or an address, or give seconds.',
  });
}
