import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { reasonOf } from '../../../base/index.ts';
import { readSourcePolicy, type SourcePolicy } from '../../../graph/index.ts';
import { usage } from '../errors.ts';

/** buildx's name for the file. */
const VARIABLE = 'EXPERIMENTAL_BUILDKIT_SOURCE_POLICY';

/** What the sources of a build may be: of the file that the flag names, else the environment. Throws `USAGE`, `SOURCE_POLICY_INVALID`. */
export function sourcePoliciesOf(
  flag: string | undefined,
  o: { readonly env: Readonly<Record<string, string | undefined>>; readonly cwd: string },
): readonly SourcePolicy[] | undefined {
  const path = flag ?? o.env[VARIABLE] ?? '';
  if (path === '') return undefined;
  let text: string;
  try {
    text = readFileSync(resolve(o.cwd, path), 'utf8');
  } catch (error) {
    throw usage(
      `read source policy "${path}" (${flag === undefined ? VARIABLE : '--source-policy'}): ${reasonOf(error)}`,
      'Name a file with a policy in JSON.',
    );
  }
  return [readSourcePolicy(text)];
}
