import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about:
    "Asks containers to end by the image's STOPSIGNAL (SIGTERM), kills what has not ended after 10 s, and waits for that. No restart policy starts them again.",
  examples: [
    ['strake stop web db', 'both at once'],
    ['strake stop -t 60 db', 'one that needs its time'],
  ],
  define(command, run) {
    command
      .argument('<container...>', 'names or IDs')
      .option('-t, --time <seconds>', 'how long to wait before it is killed; -1 is without end')
      .action((names: readonly string[], flags: { time?: string }) =>
        run(command, async (c) => (await import('../container/stop.ts')).stopContainers(names, { ...flags, c })),
      );
  },
};
