import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about:
    'Removes containers and names of images. A name or ID that a container has means that; every other one an image, which goes with its last name, or when its ID is given. What it shares with others stays. "strake container rm" and "strake rmi" look at one of both only.',
  examples: [
    ['strake rm web', 'the container, when one is called so'],
    ['strake rm app:old', 'the name; the image too, if it was its last one'],
    ['strake rm -f $(strake images -q)', 'every image'],
  ],
  define(command, run) {
    command
      .argument('<name...>', 'names or IDs')
      .option(
        '-f, --force',
        'kill a container that runs; remove an image that a container has; what is not there is no error',
      )
      .option('-v, --volumes', 'of a container: with the volumes of its own, which always go')
      .action((names: readonly string[], flags: { force?: boolean }) =>
        run(command, async (c) => {
          const { findExact } = await import('../container/find-container.ts');
          const { removeContainers } = await import('../container/remove-named.ts');
          const { removeImages } = await import('../container/remove-images.ts');
          const isContainer = await Promise.all(names.map((name) => findExact(name, c)));
          const containers = names.filter((_, at) => isContainer[at] !== undefined);
          const images = names.filter((_, at) => isContainer[at] === undefined);
          if (containers.length > 0) await removeContainers(containers, flags, c);
          if (images.length > 0) await removeImages(images, flags, c);
        }),
      );
  },
};
