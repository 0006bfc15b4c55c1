import type { Command } from 'commander';

export interface OutlineOption {
  readonly short?: string | undefined;
  readonly long?: string | undefined;
  readonly description: string;
  readonly takesValue: boolean;
  /** Words that the value can be. */
  readonly choices: readonly string[];
  readonly value: 'file' | 'folder' | 'other';
}

/** A command as completion scripts see it. */
export interface Outline {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly options: readonly OutlineOption[];
  readonly commands: readonly Outline[];
  /** What its arguments are. */
  readonly argument: 'image' | 'path' | 'shell' | 'none';
}

/** The tree of commands, from commander's. */
export function outlineOf(command: Command): Outline {
  return {
    name: command.name(),
    aliases: command.aliases(),
    summary: command.summary() || command.description(),
    options: command.options
      .filter((option) => !option.hidden)
      .map((option) => ({
        short: option.short,
        long: option.long,
        description: option.description,
        takesValue: option.required || option.optional,
        choices: option.argChoices ?? [],
        value:
          /<(folder|file|path)/.exec(option.flags)?.[1] === 'folder'
            ? 'folder'
            : /<(file|path)/.test(option.flags)
              ? 'file'
              : 'other',
      })),
    commands: command.commands.filter((one) => !(one as unknown as { _hidden?: boolean })._hidden).map(outlineOf),
    argument: argumentOf(command),
  };
}

function argumentOf(command: Command): Outline['argument'] {
  const [first] = command.registeredArguments;
  if (!first) return 'none';
  if (first.argChoices) return 'shell';
  if (first.name() === 'image') return 'image';
  return first.name() === 'context' || first.name() === 'folder' || first.name() === 'path' ? 'path' : 'none';
}

/** Every command below, with the words that lead to it. */
export function* walk(
  outline: Outline,
  path: readonly string[] = [],
): Iterable<{ readonly path: readonly string[]; readonly outline: Outline }> {
  yield { path, outline };
  for (const command of outline.commands) yield* walk(command, [...path, command.name]);
}

/** Quoted for a POSIX shell. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
