import { Command } from 'commander';
import { editDistance } from '../../base/index.ts';
import type { CliCommand, CommandEntry, RunAction } from './command.ts';
import { COMMANDS } from './commands/index.ts';
import { usage } from './errors.ts';
import { TOPICS, topicText } from './help-topics.ts';
import { addRoot, helpLayout } from './help.ts';
import type { Io } from './io.ts';
import { versionLine } from './version.ts';

/** Options of the whole program that take a value: they may stand before the command. */
const GLOBAL_VALUES: readonly string[] = ['--root'];

/** The tree of commands with the one that `argv` calls defined; `all` defines every one, for completion and documentation. */
export async function createProgram(
  argv: readonly string[],
  o: { readonly run: RunAction; readonly io: Io; readonly all?: boolean | undefined },
): Promise<Command> {
  const { io } = o;
  const program = new Command('strake');
  program
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: () => undefined,
      getOutHelpWidth: () => helpWidth(io),
      getErrHelpWidth: () => helpWidth(io),
      getOutHasColors: () => io.outStyle.colored,
      getErrHasColors: () => io.errStyle.colored,
    })
    .configureHelp(helpLayout(io))
    .helpCommand(false)
    .helpOption('-h, --help', 'show this help')
    .version(versionLine(), '-v, --version', 'show the version')
    .enablePositionalOptions();
  addRoot(program);
  program.action(() => {
    const [word] = program.args;
    if (word === undefined) program.outputHelp();
    else unknown(program, word);
  });
  const wanted = called(argv);
  for (const entry of COMMANDS) await addCommand(program, entry, { ...o, wanted });
  addHelp(program, o.io);
  program.allowExcessArguments();
  return program;
}

async function addCommand(
  program: Command,
  entry: CommandEntry,
  o: { readonly run: RunAction; readonly all?: boolean | undefined; readonly wanted: readonly string[] },
): Promise<void> {
  const declared = program
    .command(entry.name, { hidden: entry.hidden === true })
    .summary(entry.summary)
    .helpGroup(`${entry.group}:`);
  for (const alias of entry.aliases ?? []) declared.alias(alias);
  if (!o.all && !o.wanted.some((word) => word === entry.name || entry.aliases?.includes(word))) return;
  const { command } = await entry.load();
  declared.description(command.about);
  command.define(declared, o.run);
  addRoot(declared);
  if (command.examples.length > 0) declared.addHelpText('after', exampleText(command.examples));
}

function exampleText(examples: CliCommand['examples']): string {
  return `\nExamples:\n${examples.map(([line, meaning]) => `  ${line}\n      ${meaning}`).join('\n')}\n`;
}

/** `strake help [command|topic]`. */
function addHelp(program: Command, io: Io): void {
  program
    .command('help')
    .summary('help on a command or topic')
    .description('Shows help on a command, or on one of the topics.')
    .argument('[word...]', `a command, or one of ${TOPICS.join(', ')}`)
    .helpGroup('This machine:')
    .action((words: readonly string[]) => {
      const topic = words.length === 1 ? topicText(words[0] ?? '') : undefined;
      if (topic !== undefined) {
        io.stdout.write(topic);
        return;
      }
      let command = program;
      for (const word of words) {
        const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
        if (!next) unknown(command, word);
        else command = next;
      }
      command.outputHelp();
    });
}

function unknown(command: Command, word: string): never {
  const names = [...command.commands.map((one) => one.name()), ...TOPICS];
  const near = names.filter((name) => editDistance(name, word) <= Math.max(1, Math.floor(name.length / 3)));
  throw usage(
    `unknown command "${word}"`,
    `${near.length > 0 ? `Did you mean ${near.map((name) => `"${name}"`).join(' or ')}? ` : ''}See "strake help".`,
  );
}

/** The words of a command line that may name commands: the first that is no option, and for "help" the one after it. */
function called(argv: readonly string[]): readonly string[] {
  const words: string[] = [];
  for (let at = 0; at < argv.length && words.length < 2; at += 1) {
    const arg = argv[at] ?? '';
    if (GLOBAL_VALUES.includes(arg)) at += 1;
    else if (!arg.startsWith('-')) words.push(arg);
  }
  return words[0] === 'help' ? words : words.slice(0, 1);
}

function helpWidth(io: Io): number {
  return Math.min(io.stdout.size().columns, 110);
}
