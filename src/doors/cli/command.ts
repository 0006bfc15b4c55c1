import type { Command } from 'commander';
import type { Io } from './io.ts';
import type { Settings } from './settings.ts';

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

/** A command of the table: what the root help says of it, and what loads it. */
export interface CommandEntry {
  readonly name: string;
  readonly aliases?: readonly string[] | undefined;
  readonly group: 'Build' | 'Images' | 'Containers' | 'Registries' | 'Buildpacks' | 'Bases' | 'This machine';
  readonly summary: string;
  readonly hidden?: boolean | undefined;
  readonly load: () => Promise<{ readonly command: CliCommand }>;
}
