import { Option } from 'commander';
import { NO_BUILD_FLAGS } from '../build/no-flags.ts';
import type { Call } from '../check/call.ts';
import { collectValues as list } from '../parse/values.ts';
import { registryOptions } from '../shared-options.ts';
import type { CliCommand } from '../command.ts';

interface CheckFlags {
  readonly file?: string | undefined;
  readonly target?: string | undefined;
  readonly buildArg: readonly string[];
  readonly buildContext: readonly string[];
  readonly platform: readonly string[];
  readonly pull?: boolean | undefined;
  readonly format: Call['format'];
}

export const command: CliCommand = {
  about:
    'Looks through a Dockerfile and says what could be better and what would make a build fail, by the rules of Docker\'s build checks. Nothing is built. Ends with 1 where something was found. A line "# check=skip=Rule" at the top of the file leaves rules out.',
  examples: [
    ['strake check', 'the Dockerfile of this folder, all its stages'],
    ['strake check deploy/Dockerfile', 'another one'],
    ['strake check --format sarif . > check.sarif', 'for tools that show findings beside the code'],
  ],
  define(command, run) {
    command
      .argument('[path]', 'a build context as "strake build" takes it, or a Dockerfile', '.')
      .option('-f, --file <path>', 'the Dockerfile ("-": standard input)')
      .option('--target <stage>', 'look at what this stage needs only')
      .option('--build-arg <name=value>', 'set an ARG; a name alone takes its value from the environment', list, [])
      .option('--build-context <name=place>', 'what FROM or COPY --from means by a name', list, [])
      .option('--platform <platform>', 'what it is built for, as linux/arm64', list, [])
      .option('--pull', 'ask registries for newer bases, also where one is in the store')
      .addOption(
        new Option('--format <format>', 'how it is printed').choices(['text', 'json', 'sarif']).default('text'),
      );
    registryOptions(command).action((place: string, flags: CheckFlags) =>
      run(command, async (c) => {
        const { runCall } = await import('../check/run-call.ts');
        const call: Call = { request: 'frontend.lint', format: flags.format, ignoreStatus: false };
        return runCall(place, { ...NO_BUILD_FLAGS, ...flags }, { call, c });
      }),
    );
  },
};
