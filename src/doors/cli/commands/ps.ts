import { Option } from 'commander';
import type { ListFlags } from '../container/list.ts';
import { collectValues } from '../parse/values.ts';
import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about: 'Lists the containers that run in the background or have a name, the newest first.',
  examples: [
    ['strake ps', 'those that run'],
    ['strake ps -a --filter label=app=web', 'also those that have ended, of one label'],
    ['strake ps -a --format json', 'for programs'],
  ],
  define(command, run) {
    command
      .option('-a, --all', 'also those that do not run')
      .option(
        '-f, --filter <key=value>',
        'only those: id, name, status, health, exited, label, ancestor, volume',
        collectValues,
        [],
      )
      .option('-n, --last <count>', 'the newest so many, also of those that do not run')
      .option('-l, --latest', 'the newest one')
      .option('-q, --quiet', 'print IDs only')
      .option('--no-trunc', 'print everything in full')
      .addOption(new Option('--format <format>', 'how the list is printed').choices(['table', 'json']).default('table'))
      .action((flags: ListFlags) =>
        run(command, async (c) => (await import('../container/list.ts')).listContainers(flags, c)),
      );
  },
};
