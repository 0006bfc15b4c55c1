import type { Flag } from './flag.ts';
import { REGISTRY_FLAGS } from './common-flags.ts';
import { EXECUTOR_FLAGS, LOGIN_FLAGS, PUSH_FLAGS } from './flags.ts';
import { WARMER_FLAGS } from './warmer-flags.ts';

const BEGIN = '<!-- flags: written by scripts/docs.ts -->';
const END = '<!-- end of flags -->';

/** docs/from-kaniko.md with its tables of flags made anew from what the programs parse. */
export function withFlagTables(text: string): string {
  const from = text.indexOf(BEGIN);
  const to = text.indexOf(END);
  if (from < 0 || to < from) throw new TypeError('docs/from-kaniko.md has no place for the tables of flags');
  const shared = new Set(REGISTRY_FLAGS.map(({ name }) => name));
  const own = (flags: readonly Flag[]): readonly Flag[] => flags.filter(({ name }) => !shared.has(name));
  const tables = [
    `### executor\n\n${table(EXECUTOR_FLAGS)}`,
    `### warmer\n\n${table(own(WARMER_FLAGS))}\n\nFlags of registries (${namesOf(WARMER_FLAGS.filter(({ name }) => shared.has(name)))}) as with executor.`,
    `### executor push\n\n${table(own(PUSH_FLAGS))}\n\nFlags of registries as with executor.`,
    `### executor login\n\n${table(LOGIN_FLAGS)}`,
  ];
  return `${text.slice(0, from)}${BEGIN}\n\n${tables.join('\n\n')}\n\n${text.slice(to)}`;
}

function namesOf(flags: readonly Flag[]): string {
  return flags.map(({ name }) => `\`--${name}\``).join(', ');
}

function table(flags: readonly Flag[]): string {
  const rows = flags
    .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .map((flag) => `| ${flagText(flag)} | ${flag.about} | ${standingText(flag)} |`.replaceAll('""', '`""`'));
  return `| Flag | | Beside kaniko |\n|---|---|---|\n${rows.join('\n')}`;
}

function flagText(flag: Flag): string {
  const short = flag.short === undefined ? '' : `, \`-${flag.short}\``;
  const fallback = flag.fallback === undefined ? '' : `, default \`${flag.fallback}\``;
  const env = flag.env === undefined ? '' : `, \`$${flag.env}\``;
  return `\`--${flag.name}\`${short}${fallback}${env}`;
}

function standingText({ standing, note, means }: Flag): string {
  if (means !== undefined) return `same; \`--${means}\` is its name now`;
  if (standing === 'same') return 'same';
  return `${standing === 'differs' ? 'differs' : 'accepted, says so'}: ${note ?? ''}`;
}
