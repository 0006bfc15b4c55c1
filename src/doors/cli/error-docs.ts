import type { ErrorKind } from '../../base/index.ts';
import { EXIT_CODES } from './exit-code.ts';

/** Codes and their kinds, by room. */
export type ErrorTables = ReadonlyMap<string, Readonly<Record<string, string>>>;

const MEANINGS: Readonly<Record<ErrorKind, string>> = {
  failed: 'what was to be done was tried and failed',
  invalid: 'an input cannot be meant',
  not_found: 'something named is not there',
  unavailable: 'something elsewhere could not be reached; trying again may help',
  internal: 'a defect of strake',
  exhausted: 'a limit of the machine or of a service was met',
  conflict: 'something is in use, or changed meanwhile',
  denied: 'not enough rights',
  unsupported: 'it cannot be done here, or not yet',
  cancelled: 'somebody wanted it to end',
};

/** docs/errors.md: every code, by room, with its kind; kinds with their exit codes. */
export function errorsMarkdown(tables: ErrorTables): string {
  const kinds = (Object.keys(EXIT_CODES) as ErrorKind[]).map(
    (kind) => `| ${kind} | ${EXIT_CODES[kind]} | ${MEANINGS[kind]} |`,
  );
  const rooms = [...tables].map(([room, table]) => {
    const rows = Object.entries(table)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([code, kind]) => `| \`${code}\` | ${kind} |`);
    return `## ${room}\n\n| Code | Kind |\n|---|---|\n${rows.join('\n')}`;
  });
  return (
    [
      '# Errors',
      'Made from the tables of the rooms by `node scripts/docs.ts`; do not edit. `--progress=json` shows code and kind of a failed build in its last line; the kind decides how the process ends.',
      `| Kind | Exit code | Meaning |\n|---|---:|---|\n${kinds.join('\n')}`,
      ...rooms,
    ].join('\n\n') + '\n'
  );
}
