import { Option } from 'commander';
import { detectOptions } from '../build/app-options.ts';
import type { BuildFlags } from '../build/flags.ts';
import { NO_BUILD_FLAGS } from '../build/no-flags.ts';
import type { DetectFormat } from '../build/run-detect.ts';
import { collectValues as list } from '../parse/values.ts';
import { registryOptions } from '../shared-options.ts';
import type { CliCommand } from '../command.ts';
import { PROGRESS_MODES } from '../progress/create-renderer.ts';

interface DetectFlags extends Partial<BuildFlags> {
  readonly format: DetectFormat;
}

export const command: CliCommand = {
  about:
    'Says which buildpacks would build an application, and what they want of each other. Only their bin/detect runs; nothing is built. Ends with an error where no group of them takes it.',
  examples: [
    ['strake detect', 'the application of this folder'],
    ['strake detect -B registry.example/builder app', 'with another builder'],
    ['strake detect --format json', 'group and plan for programs'],
  ],
  define(command, run) {
    registryOptions(
      detectOptions(
        command
          .argument('[folder]', 'the application', '.')
          .addOption(
            new Option('--format <format>', "how it is printed; toml is the lifecycle's group.toml and plan.toml")
              .choices(['text', 'json', 'toml'])
              .default('text'),
          ),
      ),
    )
      .option('--secret <id=name,src=file>', 'a secret for buildpacks; or env=VARIABLE', list, [])
      .option('--network <mode>', 'what bin/detect reaches: default, none or host', 'default')
      .option('--platform <platform>', 'what it would be built for, as linux/arm64', list, [])
      .option('-q, --quiet', 'show no progress')
      .addOption(new Option('--progress <mode>', 'how progress is shown').choices(PROGRESS_MODES))
      .action((place: string, flags: DetectFlags) =>
        run(command, async (c) => {
          const { runDetect } = await import('../build/run-detect.ts');
          return runDetect(place, { ...NO_BUILD_FLAGS, ...flags }, { format: flags.format, c });
        }),
      );
  },
};
