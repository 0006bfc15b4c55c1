import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about: `Runs a program of the buildpacks lifecycle on this container's own folders: analyzer, detector, restorer, extender, builder, exporter, creator or rebaser, with their flags, variables and exit codes, for platforms that call
a builder image's /cnb/lifecycle (docs/lifecycle-phases.md). "strake lifecycle creator -help" shows the flags. A link of such a name to the program is the same.`,
  examples: [
    ['CNB_PLATFORM_API=0.12 strake lifecycle creator -app=/workspace registry.example/app:1', 'a whole build'],
    ['CNB_PLATFORM_API=0.12 strake lifecycle detector -help', 'the flags of one, with that Platform API'],
  ],
  define(command, run) {
    command
      .argument('[phase-and-flags...]', "as the lifecycle's")
      .helpOption(false)
      .allowUnknownOption()
      .passThroughOptions()
      .action((words: readonly string[]) =>
        run(command, async ({ io, signal }) => {
          const { runLifecycle } = await import('../../lifecycle/index.ts');
          return runLifecycle(words, { io, signal });
        }),
      );
  },
};
