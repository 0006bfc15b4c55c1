import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about: 'Stops containers and starts them again, with all that they wrote.',
  examples: [['strake restart web', 'as "strake stop" and "strake start"']],
  define(command, run) {
    command
      .argument('<container...>', 'names or IDs')
      .option('-t, --time <seconds>', 'how long to wait before it is killed; -1 is without end')
      .action((names: readonly string[], flags: { time?: string }) =>
        run(command, async (c) => (await import('../container/start.ts')).restartContainers(names, { ...flags, c })),
      );
  },
};
