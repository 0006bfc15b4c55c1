import type { ApiVersion } from '../../frontend/buildpack/index.ts';
import type { PhaseName } from './flag.ts';
import { flagsOf } from './flags.ts';

/** What a phase takes with a Platform API. */
export function helpOf(name: PhaseName, usage: string, api: ApiVersion): string {
  const rows = flagsOf(name, api)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name: flag, kind, about, fallback, env }): [string, string] => [
      `-${flag}${kind === 'bool' ? '' : ` ${kind === 'list' ? 'text…' : 'text'}`}`,
      `${about}${fallback === undefined ? '' : ` (default ${fallback})`}${env === undefined ? '' : ` [$${env}]`}`,
    ]);
  const width = Math.max(...rows.map(([flag]) => flag.length));
  const lines = rows.map(([flag, text]) => `  ${flag.padEnd(width)}  ${text}`);
  return `Usage: ${name} [flags]${usage === '' ? '' : ` ${usage}`}\n\nPlatform API ${api} (CNB_PLATFORM_API). Flags:\n${lines.join('\n')}\n`;
}
