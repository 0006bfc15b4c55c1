import { LEGACY_COMMANDS } from './aliases.ts';
import type { Flag } from './flag.ts';
import { BUILD_FLAGS, GLOBAL_FLAGS, INSPECT_FLAGS, REBASE_FLAGS, REPORT_FLAGS, SBOM_FLAGS } from './flags.ts';

const BEGIN = '<!-- flags: written by scripts/docs.ts -->';
const END = '<!-- end of flags -->';

/** docs/from-pack.md with its tables of flags and old names made anew from what the program parses. */
export function withPackTables(text: string): string {
  const from = text.indexOf(BEGIN);
  const to = text.indexOf(END);
  if (from < 0 || to < from) throw new TypeError('docs/from-pack.md has no place for the tables of flags');
  const tables = [
    `### every command\n\n${table(GLOBAL_FLAGS)}`,
    `### pack build\n\n${table(BUILD_FLAGS)}`,
    `### pack rebase\n\n${table(REBASE_FLAGS)}`,
    `### pack inspect\n\n${table(INSPECT_FLAGS)}`,
    `### pack sbom download\n\n${table(SBOM_FLAGS)}`,
    `### pack report\n\n${table(REPORT_FLAGS)}`,
    `### Old names\n\n| Old | Now |\n|---|---|\n${LEGACY_COMMANDS.map(([old, now]) => `| \`pack ${old}\` | \`pack ${now}\` |`).join('\n')}`,
  ];
  return `${text.slice(0, from)}${BEGIN}\n\n${tables.join('\n\n')}\n\n${text.slice(to)}`;
}

function table(flags: readonly Flag[]): string {
  const rows = flags
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((flag) => `| ${flagText(flag)} | ${flag.about.replaceAll('|', '\\|')} | ${standingText(flag)} |`);
  return `| Flag | | Beside pack |\n|---|---|---|\n${rows.join('\n')}`;
}

function flagText({ name, short }: Flag): string {
  return `\`--${name}\`${short === undefined ? '' : `, \`-${short}\``}`;
}

function standingText({ standing, note = '' }: Flag): string {
  if (standing === 'same') return 'same';
  return `${{ differs: 'differs', accepted: 'accepted, says so', refused: 'refused' }[standing]}: ${note}`;
}
