import type { Config } from '../../../bake/index.ts';
import { usage } from '../errors.ts';
import { csvPairs } from '../parse/csv.ts';

/** `--list targets|variables`, or `type=…,format=table|json`, as buildx prints them. Throws `USAGE`. */
export function listText(text: string, config: Config): string {
  const { type, format } = wanted(text);
  if (type === 'targets') {
    const found = targetsOf(config);
    if (format === 'json')
      return json(
        found.map(({ name, description, group }) => ({
          name,
          description: description || undefined,
          group: group || undefined,
        })),
      );
    return table(
      ['TARGET', 'DESCRIPTION'],
      found.map(({ name, description, members }) => [name, described(description, members)]),
    );
  }
  const found = [...config.variables].sort((a, b) => (a.name < b.name ? -1 : 1));
  if (format === 'json')
    return json(
      found.map(({ name, description, type: kind, value }) => ({
        name,
        description: description || undefined,
        type: kind,
        value,
      })),
    );
  return table(
    ['VARIABLE', 'TYPE', 'VALUE', 'DESCRIPTION'],
    found.map(({ name, type: kind, value, description }) => [name, kind ?? '', value ?? '<null>', description ?? '']),
  );
}

function wanted(text: string): { readonly type: 'targets' | 'variables'; readonly format: 'table' | 'json' } {
  const pairs = text.includes('=') ? csvPairs(text, '--list') : new Map([['type', text]]);
  const { type, format = 'table', ...rest } = Object.fromEntries(pairs) as Record<string, string | undefined>;
  const [other] = Object.keys(rest);
  if (other !== undefined) throw usage(`read --list "${text}": there is no "${other}"`, 'Use type= and format=.');
  if (type !== 'targets' && type !== 'variables')
    throw usage(`read --list "${text}": there is no list of "${type ?? ''}"`, 'Use targets or variables.');
  if (format !== 'table' && format !== 'json')
    throw usage(`read --list "${text}": there is no format "${format}"`, 'Use table or json.');
  return { type, format };
}

interface Listed {
  readonly name: string;
  readonly description: string;
  readonly group: boolean;
  readonly members: readonly string[];
}

/** Names that begin with "_" are the file's own. */
function targetsOf({ targets, groups }: Config): readonly Listed[] {
  const found: Listed[] = [
    ...targets.map(({ name, description = '' }) => ({ name, description, group: false, members: [] })),
    ...groups.map(({ name, description = '', targets: members }) => ({ name, description, group: true, members })),
  ];
  return found.filter(({ name }) => !name.startsWith('_')).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function described(description: string, members: readonly string[]): string {
  const names = [...members].sort().join(', ');
  if (names === '') return description;
  return description === '' ? names : `${description} (${names})`;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0)));
  return all
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
