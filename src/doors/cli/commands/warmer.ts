import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about:
    'Brings base images into a folder, with the command line of kaniko\'s warmer; "strake executor --cache --cache-dir" builds from there.',
  examples: [
    ['strake warmer -c /cache -i debian:12', 'one image'],
    ['strake warmer -c /cache -d Dockerfile', 'what a Dockerfile is based on'],
  ],
  define(command, run) {
    command
      .argument('[flags...]', "as kaniko's")
      .helpOption(false)
      .allowUnknownOption()
      .passThroughOptions()
      .action((words: readonly string[]) =>
        run(command, async ({ io, signal }) => {
          const { runWarmer } = await import('../../executor/index.ts');
          return runWarmer(words, { io, signal });
        }),
      );
  },
};
