import { editDistance } from '../../../base/index.ts';
import { usage } from '../errors.ts';
import { csvFields } from '../parse/csv.ts';
import { booleanOf } from '../parse/values.ts';

/** What is asked about a Dockerfile in place of a build (`--call`). */
export interface Call {
  /** The frontend's name for it. */
  readonly request: string;
  readonly format: 'text' | 'json' | 'sarif';
  /** End with 0 whatever is found. */
  readonly ignoreStatus: boolean;
}

const METHODS: Readonly<Record<string, string>> = {
  check: 'frontend.lint',
  lint: 'frontend.lint',
  outline: 'frontend.outline',
  targets: 'frontend.targets',
  'subrequests.describe': 'frontend.subrequests.describe',
};

/** Reads `--call` (`check`, `outline,format=json`, …) and `--check`; undefined for a build. Throws `USAGE`. */
export function callOf(flags: {
  readonly call?: string | undefined;
  readonly check?: boolean | undefined;
}): Call | undefined {
  const { call: text = 'build', check } = flags;
  const [method = '', ...more] = csvFields(text, '--call');
  if (check === true && method !== 'build' && METHODS[method] !== METHODS['check'])
    throw usage(`read --call "${text}" and --check: they ask for different things`, 'Give one of them.');
  const name = method === 'build' && check === true ? 'check' : method;
  let format: 'text' | 'json' = 'text';
  let ignoreStatus = false;
  for (const field of more) {
    const [key = '', value = 'true'] = field.split(/=([^]*)/);
    if (key === 'ignorestatus') ignoreStatus = booleanOf(value, '--call ignorestatus');
    else if (key === 'format' && (value === 'text' || value === 'json')) format = value;
    else
      throw usage(
        `read --call "${text}": there is no "${field}"`,
        'Use format=text, format=json and ignorestatus=true.',
      );
  }
  if (name === 'build') return undefined;
  const request = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  if (request === undefined) throw unknownMethod(name);
  return { request, format, ignoreStatus };
}

function unknownMethod(name: string): Error {
  const known = ['build', ...Object.keys(METHODS)];
  const near = known.find((method) => editDistance(method, name) <= 2);
  return usage(
    `read --call "${name}": there is no such method`,
    near === undefined ? `Use one of: ${known.join(', ')}.` : `Did you mean "${near}"?`,
  );
}
