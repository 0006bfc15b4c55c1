import type { Flag } from './flag.ts';

interface Shown {
  readonly about: string;
  readonly usage: string;
}

/** What `pack --help` shows. */
export function groupHelp(commands: Readonly<Record<string, Shown>>, passed: readonly string[]): string {
  const rows = [
    ...Object.entries(commands).map(([name, { about }]): [string, string] => [name, about]),
    ...passed.map((name): [string, string] => [name, `As "strake ${name}".`]),
  ].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `Builds and handles images of applications with Cloud Native Buildpacks, by pack's command line.\n\nUsage:\n  pack <command> [flags]\n\nCommands:\n${aligned(rows)}\n\nSee "pack <command> --help", and docs/from-pack.md for what differs.\n`;
}

export function helpOf({ about, usage }: Shown, flags: readonly Flag[]): string {
  const rows = flags
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((flag): [string, string] => [
      `${flag.short === undefined ? '    ' : `-${flag.short}, `}--${flag.name}${flag.kind === 'bool' ? '' : ` ${flag.kind === 'list' ? 'text…' : 'text'}`}`,
      flag.standing === 'refused' ? `${flag.about} (not supported)` : flag.about,
    ]);
  return `${about}\n\nUsage:\n  pack ${usage} [flags]\n\nFlags:\n${aligned(rows)}\n`;
}

function aligned(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`).join('\n');
}
