import type { ExecFlags } from '../container/exec.ts';
import { collectValues } from '../parse/values.ts';
import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about: 'Runs a command in a container that runs, and passes its exit code on.',
  examples: [
    ['strake exec -it web sh', 'a shell in it'],
    ['strake exec -u 0 -e DEBUG=1 web id', 'as another user, with a variable'],
  ],
  define(command, run) {
    command
      .argument('<container>', 'name or ID')
      .argument('<command...>', 'what runs')
      .passThroughOptions()
      .option('-i, --interactive', 'give it standard input')
      .option('-t, --tty', 'give it a terminal')
      .option('-d, --detach', 'do not wait for it')
      .option('-e, --env <name[=value]>', 'set a variable; without value that of this shell', collectValues, [])
      .option('--env-file <file>', 'set variables, a line each', collectValues, [])
      .option('-u, --user <user[:group]>', 'names as the image has them, or numbers')
      .option('-w, --workdir <folder>', 'where it starts')
      .action((name: string, args: readonly string[], flags: ExecFlags) =>
        run(command, async (c) => (await import('../container/exec.ts')).execIn(name, args, { flags, c })),
      );
  },
};
