import type { LogFlags } from '../container/logs.ts';
import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about:
    'Shows what a container has said: its standard output on standard output, its standard error on standard error.',
  examples: [
    ['strake logs web', 'all that is kept'],
    ['strake logs -f --tail 20 web', 'the last lines, and what comes'],
    ['strake logs -t --since 10m web', 'of the last ten minutes, with times'],
  ],
  define(command, run) {
    command
      .argument('<container>', 'name or ID')
      .option('-f, --follow', 'show what comes, until the container ends')
      .option('-n, --tail <lines>', 'the last so many lines', 'all')
      .option('--since <time>', 'from then on: 10m, or 2026-01-31T12:00:00Z')
      .option('--until <time>', 'up to then')
      .option('-t, --timestamps', 'begin each line with its time')
      .action((name: string, flags: LogFlags) =>
        run(command, async (c) => (await import('../container/logs.ts')).showLogs(name, flags, c)),
      );
  },
};
