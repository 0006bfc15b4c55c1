import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about: 'Sends a signal to the first process of containers.',
  examples: [
    ['strake kill web', 'ends it at once'],
    ['strake kill -s HUP web', 'has it read its configuration, if it listens to that'],
  ],
  define(command, run) {
    command
      .argument('<container...>', 'names or IDs')
      .option('-s, --signal <signal>', 'name or number', 'KILL')
      .action((names: readonly string[], flags: { signal: string }) =>
        run(command, async (c) => (await import('../container/stop.ts')).killContainers(names, { ...flags, c })),
      );
  },
};
