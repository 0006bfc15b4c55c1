import { Option, type Command } from 'commander';

export const OUTPUTS = ['human-readable', 'json', 'yaml', 'toml'] as const;
export type OutputFormat = (typeof OUTPUTS)[number];

export function outputOption(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'how it is printed').choices([...OUTPUTS]).default('human-readable'),
  );
}
