import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about: 'Waits until containers have ended for good, and prints their exit codes.',
  examples: [['strake wait job', 'prints 0 when it went well']],
  define(command, run) {
    command
      .argument('<container...>', 'names or IDs')
      .action((names: readonly string[]) =>
        run(command, async (c) => (await import('../container/stop.ts')).waitForContainers(names, c)),
      );
  },
};
