import { dockerfileError } from './errors.ts';
import { didYouMean } from './suggest.ts';

/** What can be asked about a Dockerfile instead of a build (BuildKit's subrequests), by option `requestid`. */
export const REQUESTS = {
  'frontend.outline': 'List all parameters current build target supports',
  'frontend.targets': 'List all targets current build supports',
  'frontend.lint': 'Lint a Dockerfile',
  'frontend.subrequests.describe': 'List available subrequest types',
} as const;

export type Subrequest = keyof typeof REQUESTS;

/** Throws `DOCKERFILE_OPTION`. */
export function readSubrequest(text: string | undefined): Subrequest | undefined {
  if (text === undefined || text === '') return undefined;
  const names = Object.keys(REQUESTS);
  if (names.includes(text)) return text as Subrequest;
  throw dockerfileError('DOCKERFILE_OPTION', `unsupported subrequest "${text}"${didYouMean(text, names)}`, {
    remedy: `Ask for one of ${names.join(', ')}.`,
  });
}
