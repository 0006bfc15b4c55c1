import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about:
    'Builds an image with the command line of kaniko\'s executor. "strake executor --help" shows its flags; docs/from-kaniko.md says how each of them stands beside kaniko\'s.',
  examples: [
    ['strake executor -c dir:///src -d registry.example/app:1', 'a folder, pushed'],
    ['strake executor -c s3://builds/context.tar.gz -d registry.example/app:1 --cache', 'with a cache in the registry'],
  ],
  define(command, run) {
    command
      .argument('[flags...]', "as kaniko's")
      .helpOption(false)
      .allowUnknownOption()
      .passThroughOptions()
      .action((words: readonly string[]) =>
        run(command, async ({ io, settings, signal }) => {
          const { runExecutor } = await import('../../executor/index.ts');
          return runExecutor(words, { io: { ...io, env: { ...io.env, STRAKE_ROOT: settings.root } }, signal });
        }),
      );
  },
};
