import { dockerfileError, notSupportedYet } from './errors.ts';
import type { Environment } from './environment.ts';

/**
 * SOURCE_DATE_EPOCH in seconds, from the build arguments or a global ARG's default (facts 1.4). `context` has a time only where the context is a git repository or an archive of the web, which comes
 * later: for a local one it is as if the variable were not set.
 */
export function readEpoch(
  buildArgs: ReadonlyMap<string, string>,
  globals: Environment,
  stages: readonly string[],
): number | undefined {
  const text = buildArgs.get('SOURCE_DATE_EPOCH') ?? globals.get('SOURCE_DATE_EPOCH') ?? '';
  if (text === '' || text === 'context') return undefined;
  if (/^[+-]?\d{1,15}$/.test(text)) return Number(text);
  if (stages.some((name) => name !== '' && name === text.toLowerCase()))
    throw notSupportedYet(`SOURCE_DATE_EPOCH from stage "${text}"`, undefined, 'Set it to a number of seconds.');
  throw dockerfileError('DOCKERFILE_OPTION', `invalid SOURCE_DATE_EPOCH: ${text}`, {
    remedy: 'Set it to a number of seconds since 1970.',
  });
}
