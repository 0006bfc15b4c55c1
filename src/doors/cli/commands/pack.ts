import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about:
    'Builds and handles images of applications with the command line of pack. "strake pack --help" shows its commands; docs/from-pack.md says how each of them stands beside pack\'s. A link named pack to the program is the same.',
  examples: [
    ['strake pack build app --builder registry.example/builder', 'into the daemon where one answers, else the store'],
    ['strake pack build registry.example/app:1 --path app --publish', 'pushed'],
  ],
  define(command, run) {
    command
      .argument('[command...]', "as pack's")
      .helpOption(false)
      .allowUnknownOption()
      .passThroughOptions()
      .action((words: readonly string[]) =>
        run(command, async ({ io, settings, signal }) => {
          const { runPack } = await import('../../pack/index.ts');
          return runPack(words, { io: { ...io, env: { ...io.env, STRAKE_ROOT: settings.root } }, signal });
        }),
      );
  },
};
