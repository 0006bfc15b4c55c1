import { Help, Option, type Command } from 'commander';
import { COMMANDS } from './commands/index.ts';
import { TOPICS } from './help-topics.ts';
import type { Io } from './io.ts';

/** How help is laid out: the root by groups of commands, a command by groups of flags. */
export function helpLayout(io: Io): Partial<Help> {
  const { bold } = io.outStyle;
  return {
    showGlobalOptions: false,
    styleTitle: bold,
    styleCommandText: bold,
    subcommandTerm: (command) => [command.name(), ...command.aliases()].join(', '),
    optionDescription: (option) => {
      const { defaultValue, argChoices } = option;
      const choices = argChoices ? ` (${argChoices.join(', ')})` : '';
      const shown = typeof defaultValue === 'string' ? ` (default: ${defaultValue})` : '';
      return `${option.description}${choices}${shown}`;
    },
    argumentDescription: (argument) => {
      const choices = argument.argChoices ? ` (${argument.argChoices.join(', ')})` : '';
      const shown = typeof argument.defaultValue === 'string' ? ` (default: ${argument.defaultValue})` : '';
      return `${argument.description}${choices}${shown}`;
    },
    formatHelp: (command, helper) =>
      command.parent === null ? rootHelp(io) : Help.prototype.formatHelp.call(helper, command, helper),
  };
}

function rootHelp(io: Io): string {
  const { bold } = io.outStyle;
  const groups = Map.groupBy(
    COMMANDS.filter(({ hidden }) => !hidden),
    ({ group }) => group,
  );
  const lines = [
    `${bold('Usage:')} strake <command> [options]`,
    '',
    'Builds container images from source, with no daemon.',
    '',
    bold('Start here:'),
    row('strake build . -t app', 'build the Dockerfile in this folder', 24),
    row('strake doctor', 'what this machine offers, and what is missing', 24),
  ];
  for (const [group, commands] of groups) {
    lines.push('', bold(`${group}:`));
    for (const { name, aliases = [], summary } of commands) lines.push(row([name, ...aliases].join(', '), summary));
  }
  lines.push(
    '',
    bold('Options:'),
    row('--root <folder>', ROOT_DESCRIPTION, 16),
    row('-v, --version', 'show the version', 16),
    row('-h, --help', 'show this help', 16),
    '',
    bold('More:'),
    row('strake help <command>', 'flags and examples', 24),
    ...topicLines(50).map((line, at) => row(at === 0 ? 'strake help <topic>' : '', line, 24)),
  );
  return `${lines.join('\n')}\n`;
}

/** The topics in lines of so many characters at most. */
function topicLines(width: number): readonly string[] {
  const lines: string[] = [];
  for (const [at, topic] of TOPICS.entries()) {
    const word = at === TOPICS.length - 1 ? topic : `${topic},`;
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function row(left: string, right: string, width = 12): string {
  return `  ${left.padEnd(width)}  ${right}`;
}

const ROOT_DESCRIPTION = 'the store (STRAKE_ROOT; default: ~/.local/share/strake)';

/** `--root`, on the program and on every command. */
export function addRoot(command: Command): void {
  command.addOption(new Option('--root <folder>', ROOT_DESCRIPTION).helpGroup('Options:'));
  if (command.parent !== null) for (const sub of command.commands) addRoot(sub);
}
