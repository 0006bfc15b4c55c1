import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about: 'Starts containers that have ended again, with all that they wrote.',
  examples: [
    ['strake start web', 'in the background, as it was'],
    ['strake start -a web', 'and shows what it says'],
  ],
  define(command, run) {
    command
      .argument('<container...>', 'names or IDs')
      .option('-a, --attach', 'show what it says, and pass its exit code on')
      .option('-i, --interactive', 'give it standard input, too')
      .action((names: readonly string[], flags: { attach?: boolean; interactive?: boolean }) =>
        run(command, async (c) => (await import('../container/start.ts')).startContainers(names, { ...flags, c })),
      );
  },
};
