import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about:
    'Shows what a container says from now on, gives it what is typed if it was started with -i, and passes its exit code on. Ctrl-C asks it to end; on a terminal of its own Ctrl-P Ctrl-Q leaves it running.',
  examples: [['strake attach web', 'as if it ran in the foreground']],
  define(command, run) {
    command
      .argument('<container>', 'name or ID')
      .option('--no-stdin', 'give it nothing of what is typed')
      .action((name: string, flags: { stdin: boolean }) =>
        run(command, async (c) => {
          const { findContainer } = await import('../container/find-container.ts');
          const { attachTo } = await import('../container/attach.ts');
          const record = await findContainer(name, c);
          const { interactive, overrides } = record.spec;
          return attachTo(record, { c, stdin: flags.stdin && interactive, terminal: overrides.terminal !== undefined });
        }),
      );
  },
};
