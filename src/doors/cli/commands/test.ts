import { Option } from 'commander';
import { appOptions } from '../build/app-options.ts';
import type { BuildFlags } from '../build/flags.ts';
import { NO_BUILD_FLAGS } from '../build/no-flags.ts';
import { collectValues as list } from '../parse/values.ts';
import { groundOption, registryOptions } from '../shared-options.ts';
import type { CliCommand } from '../command.ts';
import { PROGRESS_MODES } from '../progress/create-renderer.ts';
import { EXECUTORS } from '../settings.ts';

export const command: CliCommand = {
  about:
    'Tests an application with buildpacks: builds it for the execution environment "test" and runs the process "test" of the image, whose exit code it ends with. The image is gone afterwards unless it is named.',
  examples: [
    ['strake test', 'the application of this folder'],
    ['strake test . -- --only unit', 'with arguments for the process'],
    ['strake test -t app:test --run-env CI=1', 'and keep the image'],
  ],
  define(command, run) {
    registryOptions(
      appOptions(
        command
          .argument('[folder]', 'the application', '.')
          .argument('[arguments...]', 'given to the process, after "--"'),
      ),
    )
      .option('-t, --tag <name>', 'name the image, and keep it', list, [])
      .option('--secret <id=name,src=file>', 'a secret for the build; or env=VARIABLE', list, [])
      .addOption(
        new Option('--network <mode>', 'what build and test reach')
          .choices(['default', 'host', 'none'])
          .default('default'),
      )
      .option('--run-env <name=value>', 'a variable for the test; a name alone takes its value from here', list, [])
      .addOption(new Option('--executor <name>', 'run with this').choices(EXECUTORS))
      .addOption(groundOption('where it runs'))
      .option('-q, --quiet', 'show no progress')
      .addOption(new Option('--progress <mode>', 'how progress is shown').choices(PROGRESS_MODES))
      .action((place: string, words: readonly string[], flags: Partial<BuildFlags> & { runEnv: readonly string[] }) =>
        run(command, async (c) => {
          const { runTest } = await import('../build/run-test.ts');
          return runTest(place, words, { flags: { ...NO_BUILD_FLAGS, ...flags }, runEnv: flags.runEnv, c });
        }),
      );
  },
};
