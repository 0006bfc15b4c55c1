import { Option } from 'commander';
import type { StatsFlags } from '../container/show-stats.ts';
import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about:
    'Shows what containers that run use: processors, memory, network, disks, processes. Live until Ctrl-C, or once. By control groups where there are any, else (of an ordinary user’s containers) summed over their processes.',
  examples: [
    ['strake stats', 'of all that run, live'],
    ['strake stats --no-stream --format json web', 'once, for programs'],
  ],
  define(command, run) {
    command
      .argument('[container...]', 'names or IDs (default: all that run)')
      .option('--no-stream', 'once')
      .addOption(new Option('--format <format>', 'how it is printed').choices(['table', 'json']).default('table'))
      .action((names: readonly string[], flags: StatsFlags) =>
        run(command, async (c) => (await import('../container/show-stats.ts')).showStats(names, { flags, c })),
      );
  },
};
