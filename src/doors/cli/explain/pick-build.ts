import { resolve } from 'node:path';
import type { BuildSummary } from '../../../engine/index.ts';
import { cliError } from '../errors.ts';

/** How people say which project they mean; what is absent may be anything. */
export interface Wanted {
  /** As given. */
  readonly context?: string | undefined;
  readonly file?: string | undefined;
  readonly target?: string | undefined;
  /** Canonical. */
  readonly platform?: string | undefined;
}

/** The latest build that is meant: of this folder, or, where nothing is named and it has none, the latest of all. Throws `BUILD_UNKNOWN`. */
export function pickBuild(builds: readonly BuildSummary[], wanted: Wanted, cwd: string): BuildSummary {
  const { context, file, target, platform } = wanted;
  const fits = ({ project }: BuildSummary): boolean =>
    (file === undefined || [file, resolve(cwd, file)].includes(project['dockerfile'] ?? '')) &&
    (target === undefined || target === project['target']) &&
    (platform === undefined || platform === project['platform']);
  const names = context === undefined ? [cwd] : [context, resolve(cwd, context)];
  const fitting = builds.filter(fits);
  const own = fitting.find(({ project }) => names.includes(project['context'] ?? ''));
  const found = own ?? (context === undefined ? fitting[0] : undefined);
  if (found) return found;
  const what = Object.entries(wanted).flatMap(([name, value]) => (value === undefined ? [] : [`${name} "${value}"`]));
  const known = [...new Set(builds.map(({ project }) => `"${project['context']}"`))].slice(0, 5);
  throw cliError(
    'BUILD_UNKNOWN',
    `explain the last build${what.length > 0 ? ` of ${what.join(', ')}` : ''}: none is on record`,
    {
      remedy: known.length > 0 ? `On record are builds of ${known.join(', ')}.` : 'Build first: strake build .',
    },
  );
}
