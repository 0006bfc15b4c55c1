import { Command, Option } from 'commander';
import { editDistance } from '../../base/index.ts';
import { COMMANDS, type CommandEntry } from './commands/index.ts';
import { addRoot, helpLayout } from './help.ts';
import { topicText, TOPICS } from './help-topics.ts';
import type { Io } from './io.ts';
import { collectValues } from './parse/values.ts';
import { groundOf, GROUNDS, type Settings } from './settings.ts';
import { usage } from './errors.ts';
import { versionLine } from './version.ts';

/** What a command's action works with. */
export interface CliContext {
  readonly settings: Settings;
  readonly io: Io;
  readonly signal: AbortSignal;
}

export type RunAction = (command: Command, action: (context: CliContext) => Promise<number | void>) => Promise<void>;

/** A command: what its flags are, and what it does with them. Only the one that is called is loaded. */
export interface CliCommand {
  /** What it does, in a sentence or two. */
  readonly about: string;
  /** Command line and what it does. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  define(command: Command, run: RunAction): void;
}

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

/** Where processes run. */
export function groundOption(about: string): Option {
  return new Option(
    '--ground <name>',
    `${about}; in-place and chroot isolate nothing; containerd takes [,address=SOCKET][,namespace=NAME]`,
  )
    .choices(GROUNDS)
    .argParser(groundOf);
}

/** Flags of commands that speak to registries. */
export function registryOptions(command: Command): Command {
  return command.option(
    '--insecure-registry <host>',
    'speak to this registry without TLS, or without trust in its certificate',
    collectValues,
    [],
  );
}

/** Flags of commands that build on daemons elsewhere. */
export function remoteOptions(command: Command): Command {
  return tlsOptions(
    command.option('--on <where>', 'build on a daemon: buildkit+unix://…, docker://, or a node; several by commas'),
  );
}

/** What TLS to a daemon needs. */
export function tlsOptions(command: Command): Command {
  return command
    .option('--tls-ca <file>', "the authority of a daemon's certificate (PEM)")
    .option('--tls-cert <file>', 'the certificate that it is shown')
    .option('--tls-key <file>', 'the key of that certificate')
    .option('--tls-server-name <name>', 'the name that its certificate has');
}
