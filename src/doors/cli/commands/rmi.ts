import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about:
    'Takes names away; an image goes with its last name, or when its ID is given. What it shares with others stays.',
  examples: [
    ['strake rmi app:old', 'the name; the image too, if it was its last one'],
    ['strake rmi -f $(strake images -q)', 'every image'],
  ],
  define(command, run) {
    command
      .argument('<image...>', 'names or IDs')
      .option('-f, --force', 'also one that a container has; an image that is not there is no error')
      .action((names: readonly string[], flags: { force?: boolean }) =>
        run(command, async (c) => (await import('../container/remove-images.ts')).removeImages(names, flags, c)),
      );
  },
};
