import { Readable } from 'node:stream';
import type { Command, Option } from 'commander';
import { COMMANDS } from './commands/index.ts';
import { EXIT_MEANINGS } from './exit-code.ts';
import { topicText } from './help-topics.ts';
import type { Io } from './io.ts';
import { styleFor } from './print/style.ts';
import { createProgram } from './program.ts';
import type { Screen } from './progress/renderer.ts';

/** docs/cli.md: every command with its flags and examples, from the tree that parses them. */
export async function cliMarkdown(): Promise<string> {
  const program = await createProgram([], { run: async () => undefined, io: nowhere(), all: true });
  const parts = [
    '# The command line',
    'Made from the program by `node scripts/docs.ts`; do not edit.',
    `\`strake <command> [options]\`. Every command takes \`--help\`, and \`--root <folder>\` for another store.`,
    ...groupsOf().map(
      ([group, names]) => `- ${group}: ${names.map((name) => `[${name}](#strake-${name})`).join(', ')}`,
    ),
  ];
  const text = [`${parts.slice(0, 3).join('\n\n')}\n\n${parts.slice(3).join('\n')}`];
  for (const entry of COMMANDS) {
    const command = program.commands.find((one) => one.name() === entry.name);
    if (!command || entry.hidden) continue;
    const { command: loaded } = await entry.load();
    const examples = loaded.examples.map(([line, meaning]) => `${line}    # ${meaning}`).join('\n');
    text.push(`${sectionOf(command, '##')}${examples === '' ? '' : `\n\n\`\`\`sh\n${examples}\n\`\`\``}`);
    for (const sub of below(command)) text.push(sectionOf(sub, '###'));
  }
  text.push(
    `## Exit codes\n\n| Code | Meaning |\n|---:|---|\n${EXIT_MEANINGS.map(([code, meaning]) => `| ${code} | ${meaning} |`).join('\n')}`,
    `## Outputs\n\n\`\`\`text\n${(topicText('outputs') ?? '').trim()}\n\`\`\``,
    `## Environment\n\n\`\`\`text\n${(topicText('environment') ?? '').trim()}\n\`\`\``,
  );
  return `${text.join('\n\n')}\n`;
}

/** The commands below one; those that only hold others are not among them. */
function below(command: Command): readonly Command[] {
  return command.commands.flatMap((sub) => (sub.commands.length > 0 ? below(sub) : [sub]));
}

function groupsOf(): [string, string[]][] {
  const groups = Map.groupBy(
    COMMANDS.filter(({ hidden }) => !hidden),
    ({ group }) => group,
  );
  return [...groups].map(([group, commands]) => [group, commands.map(({ name }) => name)]);
}

function sectionOf(command: Command, heading: string): string {
  const path: string[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) path.unshift(at.name());
  const aliases = command.aliases().map((alias) => `\`${alias}\``);
  const rows = [
    ...command.registeredArguments.map((argument) =>
      row(
        argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
        argument.description,
        defaultOf(argument.defaultValue),
        argument.argChoices,
      ),
    ),
    ...command.options
      .filter((option) => !option.hidden && option.long !== '--root')
      .map((option: Option) =>
        row(option.flags, option.description, defaultOf(option.defaultValue), option.argChoices),
      ),
  ];
  return [
    `${heading} ${path.join(' ')}`,
    `${command.description()}${aliases.length > 0 ? ` Also: ${aliases.join(', ')}.` : ''}`,
    ...(rows.length > 0 ? [`| | |\n|---|---|\n${rows.join('\n')}`] : []),
  ].join('\n\n');
}

function row(
  flags: string,
  description: string,
  fallback: string | undefined,
  choices: readonly string[] | undefined,
): string {
  const notes = [...(choices ? [choices.join(', ')] : []), ...(fallback === undefined ? [] : [`default: ${fallback}`])];
  const text = `${description}${notes.length > 0 ? ` (${notes.join('; ')})` : ''}`;
  return `| \`${flags.replaceAll('|', String.raw`\|`)}\` | ${text.replaceAll('|', String.raw`\|`).replaceAll('<', '&lt;')} |`;
}

function defaultOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** An environment for a program that only describes itself. */
function nowhere(): Io {
  const screen: Screen = {
    isTerminal: false,
    size: () => ({ columns: 110, rows: 24 }),
    write: () => undefined,
    onResize: () => ({ [Symbol.dispose]: () => undefined }),
  };
  const style = styleFor(false);
  return {
    env: {},
    cwd: '/',
    home: '/',
    stdin: Readable.from([]),
    stdout: screen,
    stderr: screen,
    outStyle: style,
    errStyle: style,
    clock: { now: () => 0 },
    random: { hex: () => '' },
  };
}
